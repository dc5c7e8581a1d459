package alicloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"github.com/sealane/sealane/api"
)

const maxBody = 16 << 20 // of one answer; a full page is below 100 KB

// client sends requests. The SDK's client rewrites its own state on every call and knows
// no context, so each call gets an SDK client of its own, bound to the call's context.
type client struct {
	region, scheme, host string // host empty: the region's endpoints
	timeout              time.Duration
	transport            *http.Transport
	source               source
}

// call is one request and where its answer goes.
type call struct {
	about string // what it is about, for errors: a table, a VPC
	list  string // the member of the answer that must be there; empty for a write
	req   requests.AcsRequest
	resp  responses.AcsResponse
}

func (c call) writes() bool { return c.list == "" }

// do makes one call and translates its errors. A write whose request may have left this
// machine without an answer is ErrUnknown.
func (c *client) do(ctx context.Context, cl call) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s of %s: %w", cl.req.GetActionName(), cl.about, err)
	}
	cred, err := c.source.credential(ctx)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", cl.req.GetActionName(), cl.about, err)
	}
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	trip := &trip{ctx: timed, next: c.transport}
	err = c.send(cl, cred, trip)
	if stale(err) { // refused before any work was done, so that a write may be repeated
		if fresh, ok := c.source.renew(timed, cred); ok {
			cred = fresh
			err = c.send(cl, cred, trip)
		}
	}
	if err == nil {
		err = complete(cl)
	}
	if err == nil {
		return nil
	}
	return translate(ctx, err, cl, cred, trip.sent.Load())
}

func (c *client) send(cl call, cred credential, trip *trip) (err error) {
	// The SDK asserts types of an error body without looking: an answer that is not the
	// cloud's would end the process.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("answer not understood: %v", r)
		}
	}()
	config := sdk.NewConfig().WithScheme(c.scheme).WithTimeout(c.timeout)
	config.Transport = trip
	caller, err := sdk.NewClientWithOptions(c.region, config, cred.forSDK())
	if err != nil {
		return err
	}
	caller.SetCloseTrace(true)
	delete(cl.req.GetQueryParams(), "SecurityToken") // of a former attempt
	cl.req.SetDomain(c.endpoint(cl.req.GetProduct()))
	return caller.DoAction(cl.req, cl.resp)
}

// endpoint is the address of a product: vpc-vpc.<region>.aliyuncs.com is the VPC product
// as seen from inside a VPC, without public egress.
func (c *client) endpoint(product string) string {
	if c.host != "" {
		return c.host
	}
	return strings.ToLower(product) + "-vpc." + c.region + ".aliyuncs.com"
}

// complete refuses a 2xx answer that is not one of the cloud: to the SDK an empty body,
// or an error with status 200, is an empty list, and an empty list is evidence.
func complete(cl call) error {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(cl.resp.GetHttpContentBytes(), &body); err != nil {
		return fmt.Errorf("answer is not JSON: %w", err)
	}
	for _, name := range []string{"RequestId", cl.list} {
		if raw := string(body[name]); name != "" && (raw == "" || raw == "null" || raw == `""`) {
			return fmt.Errorf("answer has no %s", name)
		}
	}
	return nil
}

// trip is a transport for one call: it ends with the call's context, notes whether a
// connection was there to send on, and neither follows redirects nor reads without end.
type trip struct {
	ctx  context.Context // the SDK has no other way to hand it over
	next http.RoundTripper
	sent atomic.Bool
}

func (t *trip) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := httptrace.WithClientTrace(t.ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { t.sent.Store(true) },
	})
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, errors.Join(fmt.Errorf("redirected with status %d, which is not followed", resp.StatusCode), resp.Body.Close())
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	return resp, nil
}

// byToken reads a list that is paged by tokens. page gets the token and returns the next.
func byToken(page func(token string) (string, error)) error {
	seen := map[string]bool{}
	for token := ""; ; {
		next, err := page(token)
		if err != nil || next == "" {
			return err
		}
		if seen[next] {
			return fmt.Errorf("page token came twice: %w", api.ErrUnreachable)
		}
		seen[next] = true
		token = next
	}
}

// byNumber reads a list that is paged by numbers. page returns how many entries it got
// and how many there are in all.
func byNumber(page func(number int) (got, total int, err error)) error {
	for number, have := 1, 0; ; number++ {
		got, total, err := page(number)
		if err != nil {
			return err
		}
		have += got
		if have >= total {
			return nil
		}
		if got == 0 {
			return fmt.Errorf("the list ends after %d of %d entries: %w: %w", have, total, api.ErrUnreachable, io.ErrUnexpectedEOF)
		}
	}
}
