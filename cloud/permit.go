package cloud

import (
	"context"
	"errors"
)

type permitKey struct{}

// ErrLater is a permit's word that what was not sent yet can wait: something more urgent has
// come up. It does not end a change that is half made.
var ErrLater = errors.New("left to the next pass")

// WithPermit returns a context under which Apply asks permit just before each request that
// changes something. Its error ends the Apply like the end of the context, but for what is
// under way, which is settled first. The controller permits as long as its lease holds and
// nothing more urgent has come up.
func WithPermit(ctx context.Context, permit func() error) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// Permitted asks the permit that the context carries, if any. Providers call it.
func Permitted(ctx context.Context) error {
	if permit, ok := ctx.Value(permitKey{}).(func() error); ok {
		return permit()
	}
	return nil
}

// Throughout returns a context for the steps of one change after the first: ErrLater does
// not end it there, where traffic would be without a way.
func Throughout(ctx context.Context) context.Context {
	return WithPermit(ctx, func() error {
		if err := Permitted(ctx); !errors.Is(err, ErrLater) {
			return err
		}
		return nil
	})
}
