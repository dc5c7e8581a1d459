package api

import "errors"

// The kinds of failure. Foreign errors are translated to one of these where they enter;
// code above asks only errors.Is.
var (
	ErrInvalid     = errors.New("invalid")            // the input is wrong; repeating does not help
	ErrUsage       = errors.New("wrong usage")        // the command line is wrong
	ErrTimeout     = errors.New("timed out")          // waited as long as was asked
	ErrRefused     = errors.New("refused")            // understood and declined: conflict, overlap, quota, policy
	ErrUnreachable = errors.New("unreachable")        // server, registry or cloud does not answer; try later
	ErrThrottled   = errors.New("throttled")          // too many requests; stop and wait
	ErrBusy        = errors.New("busy")               // another change is in flight; try soon
	ErrQuota       = errors.New("quota exceeded")     // full until somebody acts
	ErrNotFound    = errors.New("not found")          // what was named does not exist
	ErrDenied      = errors.New("denied")             // key, signature or permission is wrong
	ErrUnknown     = errors.New("outcome unknown")    // may or may not have happened; read back
	ErrDeposed     = errors.New("leadership lost")    // the term is over; nothing was written
	ErrCompacted   = errors.New("history compacted")  // the watch must start anew from a snapshot
	ErrUnsupported = errors.New("not supported here") // this host, kernel or build cannot
	ErrPermission  = errors.New("missing permission") // this process lacks a capability
)

// Kinds is the closed list of them, so that a kind survives a trip over the wire by its text.
func Kinds() []error {
	return []error{
		ErrInvalid, ErrUsage, ErrTimeout, ErrRefused, ErrUnreachable, ErrThrottled, ErrBusy, ErrQuota,
		ErrNotFound, ErrDenied, ErrUnknown, ErrDeposed, ErrCompacted, ErrUnsupported, ErrPermission,
	}
}

// Exit codes of every sealane command. They never change.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitUsage       = 2
	ExitTimeout     = 3
	ExitRefused     = 4
	ExitUnreachable = 5
	ExitChanges     = 6 // plan: there are changes
	ExitDegraded    = 7
)

// ExitCode is the exit code for an error; nil is 0.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrTimeout):
		return ExitTimeout
	case errors.Is(err, ErrRefused), errors.Is(err, ErrQuota):
		return ExitRefused
	case errors.Is(err, ErrUnreachable):
		return ExitUnreachable
	default:
		return ExitError
	}
}
