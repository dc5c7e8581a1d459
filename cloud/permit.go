package cloud

import "context"

type permitKey struct{}

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
