package alicloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"github.com/sealane/sealane/cloud"
)

const lanes = 10 // reads under way at once

// Pacer keeps calls from being too many, each action by itself. Package pace has one.
type Pacer interface {
	// Wait returns when a call of the action may be made. An error says that it must not:
	// ErrThrottled, or the context's.
	Wait(ctx context.Context, action string) error

	// Answered tells what became of a call that Wait let pass, how long it took, and how long
	// the cloud asks to wait before the next one; 0 when it does not.
	Answered(action string, took time.Duration, err error, wait time.Duration)
}

// client sends requests. The SDK's client rewrites its own state on every call and knows
// no context, so each call gets an SDK client of its own, bound to the call's context.
type client struct {
	region    string
	vpc, ecs  address
	timeout   time.Duration
	transport http.RoundTripper
	source    source
	pacer     Pacer         // nil: none
	lanes     chan struct{} // holds a token for each read under way
}

// call is one request and where its answer goes.
type call struct {
	about string // what it is about, for errors: a table, a VPC
	list  string // the member of the answer that must be there; empty for a write
	req   requests.AcsRequest
	resp  responses.AcsResponse

	permit cloud.Permit // asked just before a write is sent
}

func (c call) writes() bool { return c.list == "" }

// do makes one call, when its turn has come, and translates its errors. A write whose
// request may have left this machine without an answer is ErrUnknown. The permit is asked
// just before a write is sent, after all that may take a while.
func (c *client) do(ctx context.Context, cl call) error {
	action := cl.req.GetActionName()
	cred, leave, err := c.enter(ctx, cl, action)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", action, cl.about, err)
	}
	defer leave()
	began := time.Now()
	err = c.exchange(ctx, cl, cred)
	if c.pacer != nil {
		c.pacer.Answered(action, time.Since(began), err, judged(err).after)
	}
	return err
}

// enter waits until the call may be made: for its turn and a credential, then, if it is a
// read, for a lane, which nobody holds who has to wait for anything else.
func (c *client) enter(ctx context.Context, cl call, action string) (cred credential, leave func(), err error) {
	if err = ctx.Err(); err == nil && c.pacer != nil {
		err = c.pacer.Wait(ctx, action)
	}
	if err != nil {
		return cred, nil, err
	}
	if cred, err = c.source.credential(ctx); err != nil {
		return cred, nil, err
	}
	if cl.writes() {
		return cred, func() {}, cl.permitted()
	}
	select {
	case c.lanes <- struct{}{}:
		return cred, func() { <-c.lanes }, nil
	case <-ctx.Done():
		return cred, nil, ctx.Err()
	}
}

// errNotPermitted marks the error of a permit, whose kind is its own.
var errNotPermitted = errors.New("not permitted any more")

// permitted asks the permit of a write.
func (c call) permitted() error {
	if !c.writes() {
		return nil
	}
	if err := c.permit(); err != nil {
		return fmt.Errorf("%w: %w", errNotPermitted, err)
	}
	return nil
}

// exchange makes the call, once more with another credential if this one has expired.
func (c *client) exchange(ctx context.Context, cl call, cred credential) error {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	trip := &trip{ctx: timed, next: c.transport}
	err := c.send(cl, cred, trip)
	if stale(err) { // refused before any work was done, so that a write may be repeated
		if fresh, ok := c.source.renew(timed, cred); ok {
			if err := cl.permitted(); err != nil {
				return fmt.Errorf("%s of %s: %w", cl.req.GetActionName(), cl.about, err)
			}
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
	at := c.address(cl.req.GetProduct())
	config := sdk.NewConfig().WithScheme(at.scheme).WithTimeout(2 * c.timeout) // ours comes first
	config.Transport = trip
	caller, err := sdk.NewClientWithOptions(c.region, config, cred.forSDK())
	if err != nil {
		return err
	}
	caller.SetCloseTrace(true)
	delete(cl.req.GetQueryParams(), "SecurityToken") // of a former attempt
	cl.req.SetDomain(at.host)
	return caller.DoAction(cl.req, cl.resp)
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
