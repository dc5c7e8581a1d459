package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sealane/sealane/api"
)

// ReadError translates the error of a call that changed nothing into a kind of package
// api. doing says what was being done, for example "read the registry". It is nil for nil.
func ReadError(ctx context.Context, client *clientv3.Client, doing string, err error) error {
	return callError(doing, client.Endpoints(), err, lastError(ctx, err), false)
}

// WriteError is ReadError for a call that writes: without an answer nobody knows whether
// the write happened, so that api.ErrUnreachable comes together with api.ErrUnknown.
func WriteError(ctx context.Context, client *clientv3.Client, doing string, err error) error {
	return callError(doing, client.Endpoints(), err, lastError(ctx, err), true)
}

func callError(doing string, endpoints []string, err, last error, write bool) error {
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	switch {
	case kind == nil:
		return fmt.Errorf("%s: %w", doing, err)
	case !errors.Is(kind, api.ErrUnreachable):
		return fmt.Errorf("%s: %w: %w", doing, kind, err)
	}
	text := fmt.Sprintf("%s: etcd at %s does not answer: %s", doing, strings.Join(endpoints, ", "), shortText(last))
	kinds := []error{kind, err}
	if write {
		text += "; it may or may not have been written"
		kinds = append(kinds, api.ErrUnknown)
	}
	return &unanswered{text, kinds}
}

// unanswered says in one line that etcd is silent and why, and is of all its kinds.
type unanswered struct {
	text  string
	kinds []error
}

func (e *unanswered) Error() string   { return e.text }
func (e *unanswered) Unwrap() []error { return e.kinds }

// kindOf is nil for errors that are none of etcd's, a caller's cancellation among them.
func kindOf(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return api.ErrUnreachable
	case errors.Is(err, rpctypes.ErrCompacted):
		return api.ErrCompacted
	case errors.Is(err, rpctypes.ErrNoSpace):
		return api.ErrQuota
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrUserEmpty):
		return api.ErrDenied // etcd calls these invalid arguments
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return api.ErrUnreachable
	case codes.PermissionDenied, codes.Unauthenticated:
		return api.ErrDenied
	case codes.ResourceExhausted:
		return api.ErrThrottled
	case codes.InvalidArgument:
		return api.ErrInvalid
	case codes.NotFound:
		return api.ErrNotFound
	default:
		return nil
	}
}

func codeOf(err error) codes.Code {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code()
	}
	return status.Code(err)
}

// shortText cuts gRPC's nested descriptions down to the part that helps, for example "dial
// tcp 192.168.0.10:2379: connect: connection refused". It is for people only.
func shortText(err error) string {
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	for _, noise := range []string{"Error while dialing: ", "latest balancer error: ", "desc = "} {
		if _, after, ok := strings.Cut(text, noise); ok {
			text = after
		}
	}
	return strings.Trim(text, `"`)
}
