package etcd

import (
	"context"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// CallTimeout bounds a call whose context brings no deadline.
const CallTimeout = 5 * time.Second

// Call prepares one call: it bounds ctx by CallTimeout unless ctx has a deadline, asks for
// an etcd member that knows a leader, and makes [ReadError] and [WriteError] able to tell
// why the call got no answer.
func Call(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithValue(clientv3.WithRequireLeader(ctx), memoryKey{}, new(memory))
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, CallTimeout)
}

// memory keeps the last error of the attempts that the etcd client makes within one call.
// The client retries until the deadline and then returns nothing but "deadline exceeded";
// the refused connection or the bad certificate behind it would be lost.
type memory = atomic.Pointer[error]

type memoryKey struct{}

// recordAttempt is a gRPC interceptor beneath the etcd client's own retries.
func recordAttempt(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, conn, opts...)
	if m, ok := ctx.Value(memoryKey{}).(*memory); ok && err != nil {
		m.Store(&err)
	}
	return err
}

// lastError is the last attempt's error, or err itself if none is known.
func lastError(ctx context.Context, err error) error {
	if m, ok := ctx.Value(memoryKey{}).(*memory); ok {
		if last := m.Load(); last != nil {
			return *last
		}
	}
	return err
}

// Pause waits between two tries, or returns the context's error.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
