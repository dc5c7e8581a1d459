package alicloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"github.com/sealane/sealane/api"
)

const maxMessage = 300 // bytes of the cloud's own words; a gateway's HTML page is longer

// class is what the failure of a write says about what was asked.
type class string

const (
	unknown   class = "unknown"   // it may have happened, now or by an earlier request: read back
	refused   class = "refused"   // nothing happened; the same may be asked again after a while
	repeat    class = "repeat"    // an earlier request with this token still runs: ask again with the same token
	permanent class = "permanent" // nothing happened, and asking again does not help
)

// failure is why a call failed, in one of the kinds of package api.
type failure struct {
	verdict
	text    string // what was said, without secrets
	code    string // the cloud's, empty when it gave none
	status  int    // of HTTP, 0 without an answer
	write   bool   // the call was to change something
	after   time.Duration
	context error // why the caller gave up, if it did
}

func (f *failure) Error() string {
	text := f.kind.Error()
	if f.context != nil {
		text += ": " + f.context.Error()
	}
	if f.text == "" {
		return text
	}
	return f.text + ": " + text
}

func (f *failure) Unwrap() []error {
	if f.context != nil {
		return []error{f.kind, f.context}
	}
	return []error{f.kind}
}

// judged returns the failure within an error. An error that is none comes from before the
// call was made.
func judged(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &failure{verdict: verdict{class: refused, kind: err}}
}

// translate turns an error of the SDK, the network or the cloud into one of ours. It is
// the only place that looks at them. A write that was sent and got no answer is unknown.
func translate(ctx context.Context, err error, cl call, cred credential, sent bool) error {
	f := &failure{verdict: verdict{class: refused, kind: api.ErrUnreachable}, write: cl.writes()}
	if answer, ok := errors.AsType[*sdkerrors.ServerError](err); ok {
		f.status, f.text, f.after = answer.HttpStatus(), describe(answer, cred), retryAfter(answer)
		f.verdict = verdictOf(answer.ErrorCode(), f.status, cl.writes())
		f.code = code(answer.ErrorCode())
	} else {
		if cl.writes() && sent {
			f.verdict = verdict{class: unknown, kind: api.ErrUnknown}
		}
		switch f.context = ctx.Err(); {
		case f.context == nil:
			f.text = transportText(err, cred)
		case f.class == refused:
			f.kind, f.context = f.context, nil
		}
	}
	return fmt.Errorf("%s of %s: %w", cl.req.GetActionName(), cl.about, f)
}

// code is a code as it may be kept and printed: empty when it is none, but anything that an
// answer had in its place.
func code(text string) string {
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
func transportText(err error, cred credential) string {
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
	return cut(err.Error(), cred)
}

// cut makes a foreign text one line of bounded length. The credential goes first: half of
// a secret would not be found any more.
func cut(text string, cred credential) string {
	text = strings.Join(strings.Fields(cred.redact(text)), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

// describe is the cloud's answer in one line.
func describe(e *sdkerrors.ServerError, cred credential) string {
	text := fmt.Sprintf("status %d", e.HttpStatus())
	if e.ErrorCode() != "" {
		text = cut(e.ErrorCode(), cred)
	}
	switch message := cut(e.Message(), cred); {
	case e.ErrorCode() == "SignatureDoesNotMatch":
		text += ": the secret does not belong to the key" // the message has all parameters in it
	case message != "":
		text += ": " + message
	}
	if action, ok := e.AccessDeniedDetail()["AuthAction"].(string); ok {
		text += " (the RAM policy must allow " + cut(action, cred) + ")"
	}
	if e.RequestId() != "" {
		text += " (request " + cut(e.RequestId(), cred) + ")"
	}
	return text
}
