// Package alicloud is cloud.Tables for Alibaba Cloud, and the only importer of its SDK.
//
// The cloud changes one VPC in one task at a time, answers before a task is done and
// reports failed entries of a batch with status 200. So a provider sends one change at a
// time, in batches, and believes nothing but what it reads back.
package alicloud

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Config says where the cloud is, which VPC is meant and who asks.
type Config struct {
	Region string
	VPC    api.VPCID

	// Endpoint replaces the addresses of both products, VPC and ECS: host:port for HTTPS,
	// or an address with its scheme. It is reached without a proxy. Empty means the
	// region's own endpoints inside the VPC, over HTTPS.
	Endpoint string

	// One of: a key, with a token if it is a temporary one; a file that holds one, which
	// may be replaced at any time; and the name of the RAM role that is attached to this
	// instance.
	AccessKeyID     Secret
	AccessKeySecret Secret
	SecurityToken   Secret
	CredentialsFile string
	RoleName        string
	MetadataURL     string // where the role's credentials are; empty means metadata.DefaultURL

	Timeout time.Duration // of one request; 0 means 10 s
	Settle  time.Duration // how long a sent change may take to be seen; 0 means 60 s
	Poll    time.Duration // first pause between two looks at it, doubling up to 5 s; 0 means 200 ms
	Quota   int           // custom entries a table may hold, which the API does not tell; 0 means 200
	Seal    api.Seal      // what marks are written and read with
	Log     *slog.Logger  // nil means none
}

const (
	defaultTimeout = 10 * time.Second
	defaultSettle  = 60 * time.Second
	defaultPoll    = 200 * time.Millisecond
	maxPoll        = 5 * time.Second
	defaultQuota   = 200 // vpc_quota_route_entrys_num (VPC quota page)
)

// Provider serves one VPC. Its methods may be called from several goroutines; it is a
// cloud.Tables.
type Provider struct {
	client     *client
	vpc        api.VPCID
	quota      int
	seal       api.Seal
	settleTime time.Duration
	pollTime   time.Duration
	log        *slog.Logger
	writing    chan struct{} // holds one token: one change of the VPC is in flight

	last memory // of what was read of instances
}

var _ cloud.Tables = (*Provider)(nil)

// New returns the provider for one VPC. It checks the configuration and asks nothing of
// the cloud yet. Errors are ErrInvalid and name the field; for a credentials file also
// ErrNotFound and ErrPermission.
func New(c Config) (*Provider, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	scheme, host, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	// The SDK leaves a transport alone that is not its own kind; otherwise it would put
	// HTTP_PROXY into it, even for loopback.
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: parallel, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: cmp.Or(c.Timeout, defaultTimeout),
	}
	if c.Endpoint != "" {
		transport.Proxy = nil
	}
	source, err := c.source()
	if err != nil {
		return nil, err
	}
	return &Provider{
		client: &client{
			region: c.Region, scheme: scheme, host: host, timeout: cmp.Or(c.Timeout, defaultTimeout),
			transport: transport, source: source,
		},
		vpc: c.VPC, seal: c.Seal, quota: cmp.Or(c.Quota, defaultQuota), settleTime: cmp.Or(c.Settle, defaultSettle),
		pollTime: cmp.Or(c.Poll, defaultPoll), log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		writing: make(chan struct{}, 1),
	}, nil
}

// Close lets go of idle connections. The provider can still be used.
func (p *Provider) Close() { p.client.transport.CloseIdleConnections() }

func (c Config) validate() error {
	switch {
	case !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(c.Region):
		return fmt.Errorf("region %q: not a region id such as cn-hangzhou: %w", c.Region, api.ErrInvalid)
	case !strings.HasPrefix(string(c.VPC), "vpc-"):
		return fmt.Errorf("vpc %q: not a VPC id such as vpc-bp1...: %w", c.VPC, api.ErrInvalid)
	case c.Timeout < 0 || c.Settle < 0 || c.Poll < 0 || c.Quota < 0:
		return fmt.Errorf("timeout, settle, poll and quota must not be negative: %w", api.ErrInvalid)
	}
	return c.validateCredentials()
}

// parseEndpoint splits an address. Host is empty for the region's own endpoints.
func parseEndpoint(endpoint string) (scheme, host string, err error) {
	if endpoint == "" {
		return "HTTPS", "", nil
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", "", fmt.Errorf("endpoint: want host:port, or http://host:port: %w", api.ErrInvalid)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", "", fmt.Errorf("endpoint: scheme %s is neither http nor https: %w", u.Scheme, api.ErrInvalid)
	}
	return strings.ToUpper(u.Scheme), u.Host, nil
}
