package call

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
)

// Answer is what goes back to the caller.
type Answer struct {
	Status int
	Reply  Reply          // of a call that went well
	bad    *world.Refusal // of one that did not
	HTML   bool
	reset  bool // the connection breaks off
	Drop   bool // the connection is closed, with nothing said
}

// RefusedWith is the answer for an error of a handler. Those are refusals; anything else is
// a fault of the simulator and looks like one.
func RefusedWith(c *Call, err error) Answer {
	r, ok := errors.AsType[*world.Refusal](err)
	if !ok {
		r = world.NewRefusal("InternalError")
		r.Message = err.Error()
	}
	r.Status = statusOf(c, r.Code, r.Status)
	return Answer{Status: r.Status, bad: r}
}

// Handler does an action's work on the model. The caller holds the world.
type Handler func(*world.World, *Call) (Reply, error)

// Reply is the body of a good answer; all of them embed body.
type Reply interface{ setRequestID(requestID string) }

// Body is what every good answer carries.
type Body struct {
	RequestID string `json:"RequestId"`
}

func (b *Body) setRequestID(requestID string) { b.RequestID = requestID }

// NewRequestID is an upper-case UUID, as the cloud gives with each answer.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// FaultAnswer is a fault's answer in place of the call's own.
func FaultAnswer(f fault.Fault, c *Call) Answer {
	switch {
	case f.Reset:
		return Answer{reset: true}
	case f.Drop:
		return Answer{Drop: true}
	case f.HTML && f.Status == 0:
		return Answer{Status: http.StatusBadGateway, HTML: true}
	case f.HTML:
		return Answer{Status: f.Status, HTML: true}
	}
	r := world.NewRefusal(f.Code)
	r.Status = statusOf(c, f.Code, r.Status)
	if f.Status != 0 {
		r.Status = f.Status
	}
	r.RetryAfter = f.RetryAfter
	if f.Code == "Forbidden.RAM" {
		r.Denied = c.Action
	}
	return Answer{Status: r.Status, bad: r}
}
