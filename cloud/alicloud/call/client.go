// Package call makes single requests of Alibaba Cloud by the vendor's SDK, and tells what became
// of each in the kinds of package api: it is the one place where the cloud's codes are judged.
package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"

	"github.com/sealane/sealane/cloud/alicloud/credential"
)

// Pacer keeps calls from being too many, each action by itself. Package pace has one.
type Pacer interface {
	// Wait returns when a call of the action may be made. An error says that it must not:
	// ErrThrottled, or the context's.
	Wait(ctx context.Context, action string) error

	// Answered tells what became of a call that Wait let pass, how long it took, and how long
	// the cloud asks to wait before the next one; 0 when it does not.
	Answered(action string, took time.Duration, err error, wait time.Duration)
}

// Source gives the credential of each request. Package credential has them.
type Source interface {
	Credential(ctx context.Context) (credential.Credential, error)

	// Renew is told that the cloud did not take a credential any more, and looks once for
	// another. ok is false if there is none.
	Renew(ctx context.Context, refused credential.Credential) (fresh credential.Credential, ok bool)
}

// Config says where the cloud is, and who asks.
type Config struct {
	Region   string
	VPC, ECS Address // of the two products
	Timeout  time.Duration
	Source   Source
	Pacer    Pacer // nil means none

	Transport http.RoundTripper // NewTransport makes it
}

// Client sends requests. The SDK's client rewrites its own state on every call and knows
// no context, so each call gets an SDK client of its own, bound to the call's context.
type Client struct {
	Config
	lanes chan struct{} // holds a token for each read under way
}

// New returns a client that has sent nothing yet.
func New(c Config) *Client { return &Client{Config: c, lanes: make(chan struct{}, Lanes)} }

// Do makes one call, when its turn has come, and translates its errors. A write whose
// request may have left this machine without an answer is ErrUnknown. The permit is asked
// just before a write is sent, after all that may take a while.
func (c *Client) Do(ctx context.Context, r Request) error {
	action := r.Request.GetActionName()
	cred, leave, err := c.awaitTurn(ctx, r, action)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", action, r.About, err)
	}
	defer leave()
	began := time.Now()
	err = c.exchange(ctx, r, cred)
	if c.Pacer != nil {
		c.Pacer.Answered(action, time.Since(began), err, FailureOf(err).after)
	}
	return err
}

// awaitTurn waits until the call may be made: for its turn and a credential, then, if it is a
// read, for a lane, which nobody holds who has to wait for anything else.
func (c *Client) awaitTurn(ctx context.Context, r Request, action string) (cred credential.Credential, leave func(), err error) {
	if err = ctx.Err(); err == nil && c.Pacer != nil {
		err = c.Pacer.Wait(ctx, action)
	}
	if err != nil {
		return cred, nil, err
	}
	if cred, err = c.Source.Credential(ctx); err != nil {
		return cred, nil, err
	}
	if r.writes() {
		return cred, func() {}, r.permitted()
	}
	select {
	case c.lanes <- struct{}{}:
		return cred, func() { <-c.lanes }, nil
	case <-ctx.Done():
		return cred, nil, ctx.Err()
	}
}

// exchange makes the call, once more with another credential if this one has expired.
func (c *Client) exchange(ctx context.Context, r Request, cred credential.Credential) error {
	timed, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	trip := &trip{ctx: timed, next: c.Transport}
	err := c.sendSigned(r, cred, trip)
	if credentialExpired(err) { // refused before any work was done, so that a write may be repeated
		if fresh, ok := c.Source.Renew(timed, cred); ok {
			if err := r.permitted(); err != nil {
				return fmt.Errorf("%s of %s: %w", r.Request.GetActionName(), r.About, err)
			}
			cred = fresh
			err = c.sendSigned(r, cred, trip)
		}
	}
	if err == nil {
		err = checkAnswer(r)
	}
	if err == nil {
		return nil
	}
	return translate(ctx, err, r, cred, trip.sent.Load())
}

func (c *Client) sendSigned(r Request, cred credential.Credential, trip *trip) (err error) {
	// The SDK asserts types of an error body without looking: an answer that is not the
	// cloud's would end the process.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("answer not understood: %v", p)
		}
	}()
	at := c.addressOf(r.Request.GetProduct())
	config := sdk.NewConfig().WithScheme(at.Scheme).WithTimeout(2 * c.Timeout) // ours comes first
	config.Transport = trip
	caller, err := sdk.NewClientWithOptions(c.Region, config, cred.ForSDK())
	if err != nil {
		return err
	}
	caller.SetCloseTrace(true)
	delete(r.Request.GetQueryParams(), "SecurityToken") // of a former attempt
	r.Request.SetDomain(at.Host)
	return caller.DoAction(r.Request, r.Response)
}

// checkAnswer refuses a 2xx answer that is not one of the cloud: to the SDK an empty body,
// or an error with status 200, is an empty list, and an empty list is evidence.
func checkAnswer(r Request) error {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Response.GetHttpContentBytes(), &body); err != nil {
		return fmt.Errorf("answer is not JSON: %w", err)
	}
	for _, name := range []string{"RequestId", r.List} {
		if raw := string(body[name]); name != "" && (raw == "" || raw == "null" || raw == `""`) {
			return fmt.Errorf("answer has no %s", name)
		}
	}
	return nil
}

// credentialExpired reports whether the cloud refused a credential that may have been replaced since.
func credentialExpired(err error) bool {
	answer, ok := errors.AsType[*sdkerrors.ServerError](err)
	return ok && (strings.HasPrefix(answer.ErrorCode(), "InvalidSecurityToken.") || answer.ErrorCode() == "MissingSecurityToken")
}

// addressOf is where a product is reached: vpc-vpc.<region>.aliyuncs.com is the VPC product as seen
// from inside a VPC, without public egress.
func (c *Client) addressOf(product string) Address {
	at := c.VPC
	if strings.EqualFold(product, "Ecs") {
		at = c.ECS
	}
	if at.Host == "" {
		at = Address{"HTTPS", strings.ToLower(product) + "-vpc." + c.Region + ".aliyuncs.com"}
	}
	return at
}
