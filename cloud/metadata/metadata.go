// Package metadata asks the instance metadata service of Alibaba Cloud who this machine
// is, and for the credentials of its role. It speaks version 2 of the service only, the
// one with a token, so that nothing that can merely forward a GET request gets an answer.
package metadata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
)

// DefaultURL is where every ECS instance finds its metadata.
const DefaultURL = "http://100.100.100.200"

const (
	maxBody     = 64 << 10
	callTimeout = 3 * time.Second
	tokenTTL    = "300" // seconds; 1 to 21600 are allowed
	tokenPath   = "/latest/api/token"
	dataPath    = "/latest/meta-data/"
	headerTTL   = "X-aliyun-ecs-metadata-token-ttl-seconds"
	headerToken = "X-aliyun-ecs-metadata-token"
)

// Client talks to the metadata service, without any proxy, following no redirect, and
// waiting 3 s for each answer. Its zero value is ready to use.
type Client struct {
	URL string // of the service, without a path; empty means DefaultURL
}

// session is a run of requests under one token.
type session struct {
	url   string
	http  *http.Client
	token string
}

// openSession gets a token. done must be called when the session is over.
func (c Client) openSession(ctx context.Context) (s *session, done func(), err error) {
	// A proxy would answer for its own machine, or see the credentials.
	transport := &http.Transport{Proxy: nil}
	done = transport.CloseIdleConnections
	s = &session{url: strings.TrimSuffix(cmp.Or(c.URL, DefaultURL), "/"), http: newHTTP(transport)}
	s.token, err = s.request(ctx, http.MethodPut, tokenPath, headerTTL, tokenTTL)
	switch {
	case errors.Is(err, api.ErrNotFound):
		err = fmt.Errorf("metadata service at %s gives no tokens: version 2 of the service is required: %w", s.url, api.ErrUnsupported)
	case err == nil && s.token == "":
		err = fmt.Errorf("metadata service at %s gave an empty token: %w", s.url, api.ErrInvalid)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}

func newHTTP(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, Timeout: callTimeout, CheckRedirect: noRedirect}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// readValue reads one value, a path below /latest/meta-data.
func (s *session) readValue(ctx context.Context, path string) (string, error) {
	return s.request(ctx, http.MethodGet, dataPath+path, headerToken, s.token)
}

func (s *session) request(ctx context.Context, method, path, header, value string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("metadata service at %s: %w: %w", s.url, api.ErrInvalid, err)
	}
	req.Header.Set(header, value)
	resp, err := s.http.Do(req)
	if err != nil {
		return "", s.silentError(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost: the body was read or is given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return "", s.silentError(ctx, err)
	case len(body) > maxBody:
		return "", fmt.Errorf("metadata service at %s: %s is longer than 64 KiB: %w", s.url, path, api.ErrInvalid)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("metadata service at %s: %s %s: status %d: %w", s.url, method, path, resp.StatusCode, kindOfStatus(resp.StatusCode))
	}
	return strings.TrimSpace(string(body)), nil
}

// silentError is the error for a service that gave no answer.
func (s *session) silentError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("metadata service at %s does not answer; is this an ECS instance, and is its metadata endpoint enabled? %w: %w",
		s.url, api.ErrUnreachable, err)
}

func kindOfStatus(status int) error {
	switch {
	case status == http.StatusNotFound:
		return api.ErrNotFound
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return api.ErrDenied
	case status == http.StatusTooManyRequests:
		return api.ErrThrottled
	case status >= http.StatusInternalServerError:
		return api.ErrUnreachable
	default:
		return api.ErrInvalid
	}
}
