package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/credential"
)

const maxMessage = 300 // bytes of the cloud's own words; a gateway's HTML page is longer

// Failure is why a call failed, in one of the kinds of package api.
type Failure struct {
	Verdict
	Code  string // the cloud's, empty when it gave none
	Write bool   // the call was to change something

	text    string // what was said, without secrets
	status  int    // of HTTP, 0 without an answer
	after   time.Duration
	context error // why the caller gave up, if it did
}

// Error implements error. It shows no secret.
func (f *Failure) Error() string {
	text := f.Kind.Error()
	if f.context != nil {
		text += ": " + f.context.Error()
	}
	if f.text == "" {
		return text
	}
	return f.text + ": " + text
}

// Unwrap gives the kind, and the context's error where that ended the call.
func (f *Failure) Unwrap() []error {
	if f.context != nil {
		return []error{f.Kind, f.context}
	}
	return []error{f.Kind}
}

// FailureOf returns the failure within an error. An error that is none comes from before the
// call was made.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Verdict: Verdict{Class: Refused, Kind: err}}
}

// OfCode is the failure of one entry of a batch, which the answer names by a code alone. known
// is false for a code that is neither listed nor of a known family.
func OfCode(code string) (f *Failure, known bool) {
	v, known := verdictOfCode(code)
	return &Failure{Verdict: v, text: plainCode(code)}, known
}

// Forbidden reports whether the RAM policy does not allow the action.
func (f *Failure) Forbidden() bool { return f.Code == "Forbidden.RAM" }

// MissingPermission reports whether an error says that the RAM policy does not allow the action.
// A signature, key or clock that is refused is another kind of ErrDenied.
func MissingPermission(err error) bool {
	f := FailureOf(err)
	return errors.Is(f.Kind, api.ErrDenied) && strings.HasPrefix(f.Code, "Forbidden")
}

// TooLong reports whether a write was too long for the gateway.
func (f *Failure) TooLong() bool { return f.Write && tooLong(f.Code, f.status) }

// NoSuchAction reports whether the answer says that the action is not to be had here, whatever
// is asked of it: not what says that the next hop or the destination is not to be had.
func (f *Failure) NoSuchAction() bool {
	switch {
	case f.Forbidden(), f.Code == "InvalidAction.NotFound", f.Code == "OperationDenied":
		return true
	case slices.ContainsFunc(entryWords, func(word string) bool { return strings.Contains(f.Code, word) }):
		return false
	}
	return strings.HasPrefix(f.Code, "OperationUnsupported") ||
		strings.HasPrefix(f.Code, "OperationDenied.") && !errors.Is(f.Kind, api.ErrRefused)
}

// entryWords are words in codes that are about a next hop or a destination: of IPv6 entries and
// of gateways there are several (CreateRouteEntry page).
var entryWords = []string{"NextHop", "Nexthop", "Ipv6", "Interface", "Eni", "Instance", "Cidr"} //nolint:gochecknoglobals // a constant table

// Stops reports whether after this error nothing more may be sent: to go on would be throttled
// or denied as well, or is not permitted any more.
func Stops(err error) bool {
	return errors.Is(err, ErrNotPermitted) || errors.Is(err, api.ErrThrottled) || errors.Is(err, api.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// translate turns an error of the SDK, the network or the cloud into one of ours. It is
// the only place that looks at them. A write that was sent and got no answer is unknown.
func translate(ctx context.Context, err error, r Request, cred credential.Credential, sent bool) error {
	f := &Failure{Verdict: Verdict{Class: Refused, Kind: api.ErrUnreachable}, Write: r.writes()}
	if answer, ok := errors.AsType[*sdkerrors.ServerError](err); ok {
		f.status, f.text, f.after = answer.HttpStatus(), answerText(answer, cred), retryAfter(answer)
		f.Verdict = verdictOf(answer.ErrorCode(), f.status, r.writes())
		f.Code = safeCode(answer.ErrorCode())
	} else {
		if r.writes() && sent {
			f.Verdict = Verdict{Class: Unknown, Kind: api.ErrUnknown}
		}
		switch f.context = ctx.Err(); {
		case f.context == nil:
			f.text = transportText(err, cred)
		case f.Class == Refused:
			f.Kind, f.context = f.context, nil
		}
	}
	return fmt.Errorf("%s of %s: %w", r.Request.GetActionName(), r.About, f)
}

// safeCode is a code as it may be kept and printed: empty when it is none, but anything that an
// answer had in its place.
func safeCode(text string) string {
	if plainCode(text) != text {
		return ""
	}
	return text
}

// retryAfter is how long the cloud asks to wait, in milliseconds as its own tools read it.
func retryAfter(e *sdkerrors.ServerError) time.Duration {
	n, err := strconv.ParseInt(http.Header(e.RespHeaders).Get("x-acs-retry-after"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// transportText leaves out the URL of a request, which carries key, token and signature,
// and what the SDK quotes of an answer that it could not decode.
func transportText(err error, cred credential.Credential) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return "the connection broke before there was an answer"
		}
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	} else if ofSDK, ok := errors.AsType[*sdkerrors.ClientError](err); ok {
		return "answer not understood: " + ofSDK.ErrorCode()
	}
	return shorten(err.Error(), cred)
}

// shorten makes a foreign text one line of bounded length. The credential goes first: half of
// a secret would not be found any more.
func shorten(text string, cred credential.Credential) string {
	text = strings.Join(strings.Fields(cred.Redact(text)), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

// answerText is the cloud's answer in one line.
func answerText(e *sdkerrors.ServerError, cred credential.Credential) string {
	text := fmt.Sprintf("status %d", e.HttpStatus())
	if e.ErrorCode() != "" {
		text = shorten(e.ErrorCode(), cred)
	}
	switch message := shorten(e.Message(), cred); {
	case e.ErrorCode() == "SignatureDoesNotMatch":
		text += ": the secret does not belong to the key" // the message has all parameters in it
	case message != "":
		text += ": " + message
	}
	if isClockCode(e.ErrorCode()) {
		text += ": " + clockText(e, time.Now())
	}
	if action, ok := e.AccessDeniedDetail()["AuthAction"].(string); ok {
		text += " (the RAM policy must allow " + shorten(action, cred) + ")"
	}
	if e.RequestId() != "" {
		text += " (request " + shorten(e.RequestId(), cred) + ")"
	}
	return text
}

// plainCode is a code of the cloud, if it looks like one: anything else may quote the
// request.
func plainCode(code string) string {
	if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,79}$`).MatchString(code) {
		return "a code that is none"
	}
	return code
}
