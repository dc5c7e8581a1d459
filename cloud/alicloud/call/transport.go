package call

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/api"
)

// Lanes is how many reads are under way at once.
const Lanes = 10

const maxBody = 16 << 20 // of one answer; a full page is below 100 KB

// Address is where a product is reached. Without a host it is the region's own.
type Address struct{ Scheme, Host string }

// ParseEndpoint reads an address as an operator writes it.
func ParseEndpoint(endpoint string) (Address, error) {
	if endpoint == "" {
		return Address{}, nil
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Address{}, fmt.Errorf("endpoint: want host:port, or http://host:port: %w", api.ErrInvalid)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return Address{}, fmt.Errorf("endpoint: scheme %s is neither http nor https: %w", u.Scheme, api.ErrInvalid)
	}
	return Address{strings.ToUpper(u.Scheme), u.Host}, nil
}

// NewTransport returns one for all calls. The SDK leaves a transport alone that is not its
// own kind; otherwise it would put HTTP_PROXY into it, even for loopback.
func NewTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy: proxyFor, MaxIdleConnsPerHost: Lanes + 1, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: timeout,
	}
}

// proxyFor is the environment's proxy, for addresses that one can be on the way to.
func proxyFor(req *http.Request) (*url.URL, error) {
	if isNear(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// isNear reports whether a host is this machine, in its own network, or one of the cloud's own
// services, which are in 100.64.0.0/10: that of metadata at 100.100.100.200 gives keys away.
func isNear(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost")
	}
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
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
