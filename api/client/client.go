// Package client reads a controller's HTTP API. The command line and the end-to-end tests
// use it.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
)

// maxBody bounds an answer: 64 MiB is some hundred times the status of 1,000 hosts.
const maxBody = 64 << 20

// Client asks one controller replica. Make it with New.
type Client struct {
	base *url.URL
	http *http.Client
}

// New returns a client for a server such as "http://127.0.0.1:8480".
func New(server string) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("server %q: not an address like http://127.0.0.1:8480: %w", server, api.ErrUsage)
	}
	return &Client{base: base, http: &http.Client{Timeout: 10 * time.Second}}, nil
}

// Status reads everything.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, "status", api.SchemaStatus)
}

// Hosts reads the hosts.
func (c *Client) Hosts(ctx context.Context) (api.HostList, error) {
	return get[api.HostList](ctx, c, "hosts", api.SchemaHosts)
}

// Routes reads the desired routes.
func (c *Client) Routes(ctx context.Context) (api.RouteList, error) {
	return get[api.RouteList](ctx, c, "routes", api.SchemaRoutes)
}

// Plan reads the plan of the last pass.
func (c *Client) Plan(ctx context.Context) (api.PlanDocument, error) {
	return get[api.PlanDocument](ctx, c, "plan", api.SchemaPlan)
}

func get[T any](ctx context.Context, c *Client, name, schema string) (T, error) {
	var doc T
	address := c.base.JoinPath("api", "v1", name).String()
	text, code, err := c.fetch(ctx, address)
	if err != nil {
		return doc, err
	}
	if code != http.StatusOK {
		return doc, remote(address, code, text)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return doc, fmt.Errorf("%s: the answer is not JSON; is this a sealane controller? %w", address, api.ErrInvalid)
	}
	if head.Schema != schema {
		return doc, fmt.Errorf("%s: the answer has schema %q, not %q; client and controller are of different versions: %w",
			address, head.Schema, schema, api.ErrInvalid)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, fmt.Errorf("%s: %w: %w", address, err, api.ErrInvalid)
	}
	return doc, nil
}

func (c *Client) fetch(ctx context.Context, address string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w: %w", address, err, api.ErrUsage)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if where, ok := errors.AsType[*url.Error](err); ok {
			err = where.Err
		}
		return nil, 0, fmt.Errorf("the controller at %s does not answer: %w: %w", c.base, err, api.ErrUnreachable)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, 0, fmt.Errorf("the controller at %s broke off its answer: %w: %w", c.base, err, api.ErrUnreachable)
	}
	return text, resp.StatusCode, nil
}

// remote turns an error body back into an error of the same kind.
func remote(address string, code int, text []byte) error {
	var body api.ErrorBody
	if json.Unmarshal(text, &body) != nil || body.Schema != api.SchemaError {
		return fmt.Errorf("%s: HTTP %d; is this a sealane controller? %w", address, code, api.ErrInvalid)
	}
	for _, kind := range api.Kinds() {
		if kind.Error() == body.Kind {
			said := strings.TrimSuffix(strings.TrimSuffix(body.Error, body.Kind), ": ")
			return fmt.Errorf("%s: %s: %w", address, said, kind)
		}
	}
	return fmt.Errorf("%s: %s", address, body.Error)
}
