// Package alicloud is cloud.Tables for Alibaba Cloud, and the only importer of its SDK.
//
// The cloud changes one VPC in one task at a time, answers before a task is done and
// reports failed entries of a batch with status 200. So a provider sends one change at a
// time, in batches, and believes nothing but what it reads back. It learns how long a task
// takes and looks when one is due; the rest of a batch is read back while the next one is on
// its way.
//
// # Calls
//
// n changes over all tables cost ceil(n/50) writes; a replace costs one. A batch with n(t)
// changes in each table t takes sum over t of ceil(n(t)/20) reads to settle, one more where it
// has more than 20 changes and another one follows, and one more for every look that comes
// too early; no more than four looks are under way at once. Deletes and replaces are read
// once before as well. Where a table is known to fill no more than a page it is listed whole
// instead, in fewer calls; several pages would prove nothing missing. An entry that a batch
// may have failed in one table or another is asked for alone.
//
// A pass that finds nothing to do writes nothing, and reads
//
//	Network    2 + ceil(vSwitches/50) + ceil(tables/50)
//	Routes     ceil(entries/100) of each table
//	Instances  ceil(hosts/100) + ceil(interfaces of the VPC/500) + security groups of the hosts
//
// where each ceil is at least 1.
package alicloud

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
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
	// or an address with its scheme. Empty means the region's own endpoints inside the VPC,
	// over HTTPS. EndpointECS is that of ECS, where it is another one. Proxies of the
	// environment are used, but for loopback, private and the cloud's own addresses.
	Endpoint, EndpointECS string

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
	Poll    time.Duration // shortest pause between two looks at it; 0 means 20 ms
	Quota   int           // custom entries a table may hold, which the API does not tell; 0 means 200
	Pacer   Pacer         // nil means none
	Seal    api.Seal      // what marks are written and read with
	Log     *slog.Logger  // nil means none
}

const (
	defaultTimeout = 10 * time.Second
	defaultSettle  = 60 * time.Second
	defaultPoll    = 20 * time.Millisecond
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
	learned    *learned

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
	vpcAt, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	ecsAt, err := parseEndpoint(cmp.Or(c.EndpointECS, c.Endpoint))
	if err != nil {
		return nil, err
	}
	source, err := c.source()
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(c.Timeout, defaultTimeout)
	return &Provider{
		client: &client{
			region: c.Region, vpc: vpcAt, ecs: ecsAt, timeout: timeout, transport: newTransport(timeout),
			source: source, pacer: c.Pacer, lanes: make(chan struct{}, lanes),
		},
		vpc: c.VPC, seal: c.Seal, quota: cmp.Or(c.Quota, defaultQuota), settleTime: cmp.Or(c.Settle, defaultSettle),
		pollTime: cmp.Or(c.Poll, defaultPoll), log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		writing: make(chan struct{}, 1), learned: newLearned(),
	}, nil
}

// Close lets go of idle connections. The provider can still be used.
func (p *Provider) Close() {
	(&http.Client{Transport: p.client.transport}).CloseIdleConnections()
}

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
