// Package leader makes one of several controllers lead, by a lease in etcd.
//
// What a leader writes to etcd is safe by itself: each write is a transaction on condition
// that the term holds. What it sends to the cloud is not, for the cloud knows no terms.
// So a [Lease] ends, by the clock of the machine, before etcd can give it to another.
package leader

import (
	"context"
	"time"

	"github.com/sealane/sealane/api"
)

// Elector lets a controller stand for leadership.
type Elector interface {
	// Campaign blocks until this controller leads, or the context ends, or etcd fails. It
	// may be called again, also after the lease it returned has ended. The lease ends with
	// the context. Errors: ErrUnreachable, ErrDenied, the context's.
	Campaign(ctx context.Context) (Lease, error)
}

// Lease is one leadership. Its methods may be called from several goroutines.
type Lease interface {
	// Context ends when the leadership does, with cause ErrDeposed, and before another
	// controller can lead.
	Context() context.Context

	// Term is the proof of leadership that goes with every write to the registry.
	Term() api.Term

	// Remaining is how long the leadership lasts if etcd does not answer any more; 0 when
	// it has ended. Ask before each call to the cloud: it is right even if this process or
	// the whole machine was suspended meanwhile.
	Remaining() time.Duration

	// Resign gives the leadership up, so that another need not wait for the lease to run
	// out; the last call to the cloud must have returned before. It returns when nothing of the lease is left running, and does no harm when the
	// leadership has ended already.
	Resign(ctx context.Context) error
}
