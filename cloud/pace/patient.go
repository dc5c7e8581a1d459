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
	return retryRead(ctx, func() (cloud.Network, error) { return p.Tables.Network(ctx) })
}

func (p patient) Instances(ctx context.Context, ids []api.InstanceID) ([]cloud.Instance, error) {
	return retryRead(ctx, func() ([]cloud.Instance, error) { return p.Tables.Instances(ctx, ids) })
}

func (p patient) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	return retryRead(ctx, func() ([]api.Route, error) { return p.Tables.Routes(ctx, table) })
}

// retryRead calls until the answer is something else than trouble that passes.
func retryRead[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for try := range tries - 1 {
		answer, err := call()
		passes := errors.Is(err, api.ErrBusy) || errors.Is(err, api.ErrUnreachable)
		if !passes || errors.Is(err, api.ErrThrottled) {
			return answer, err
		}
		// Replicas which failed together must not come back together.
		pause := min(first<<try, longest)
		select {
		case <-time.After(pause/halfWait + rand.N(pause-pause/halfWait)):
		case <-ctx.Done():
			return answer, err
		}
	}
	return call()
}
