package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

const (
	tries    = 4                      // attempts of a read in all
	first    = 500 * time.Millisecond // before the second one; it doubles with each
	longest  = 4 * time.Second
	halfWait = 2 // a pause is at least this part of itself
)

// Patient returns next with reads that meet ErrUnreachable or ErrBusy repeated a few times: a
// pass is not worth losing to one answer of a gateway. Changes are never repeated here, and
// nothing that was throttled is.
func Patient(next cloud.Tables) cloud.Tables { return patient{next} }

type patient struct{ cloud.Tables }

func (p patient) Network(ctx context.Context) (cloud.Network, error) {
	return read(ctx, func() (cloud.Network, error) { return p.Tables.Network(ctx) })
}

func (p patient) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	return read(ctx, func() ([]cloud.Instance, error) { return p.Tables.Instances(ctx, ids) })
}

func (p patient) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	return read(ctx, func() ([]api.Route, error) { return p.Tables.Routes(ctx, table) })
}

// read calls until the answer is something else than trouble that passes.
func read[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for try := range tries - 1 {
		answer, err := call()
		passes := errors.Is(err, api.ErrBusy) || errors.Is(err, api.ErrUnreachable)
		if !passes || errors.Is(err, api.ErrThrottled) || !pause(ctx, min(first<<try, longest)) {
			return answer, err
		}
	}
	return call()
}

// pause waits at least a part of d, so that replicas which failed together do not come back
// together. It reports false when the context ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/halfWait + rand.N(d-d/halfWait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
