package call

import (
	"errors"
	"fmt"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"github.com/sealane/sealane/cloud"
)

// Request is one request and where its answer goes.
type Request struct {
	About    string // what it is about, for errors: a table, a VPC
	List     string // the member of the answer that must be there; empty for a write
	Request  requests.AcsRequest
	Response responses.AcsResponse
	Permit   cloud.Permit // asked just before a write is sent
}

func (r Request) writes() bool { return r.List == "" }

// ErrNotPermitted marks the error of a permit, whose kind is its own.
var ErrNotPermitted = errors.New("not permitted any more")

// permitted asks the permit of a write.
func (r Request) permitted() error {
	if !r.writes() {
		return nil
	}
	if err := r.Permit(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	return nil
}
