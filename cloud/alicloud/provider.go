// Package alicloud is cloud.Tables for Alibaba Cloud; it and its folders alone import the vendor's
// SDK. Here the network, its instances and the gates are read and opened; entries of route tables
// are read by package entries and changed by package write; package call makes each request.
//
// The cloud changes one VPC in one task at a time, answers before a task is done and
// reports failed entries of a batch with status 200. So a provider sends one change at a
// time, in batches, and believes nothing but what it reads back. It learns how long a task
// takes and reads when one is due; the rest of a batch is read back while the next one is on
// its way.
//
// # Calls
//
// n changes over all tables cost ceil(n/50) writes; a replace costs one. A batch with n(t)
// changes in each table t takes sum over t of ceil(n(t)/20) reads to settle, one more where it
// has more than 20 changes and another one follows, and one more for every read that comes
// too early; no more than four reads are under way at once. Deletes and replaces are read
// once before as well. Where a table is known to fill no more than a page it is listed whole
// instead, in fewer calls; several pages cannot prove that an entry is missing. An entry that a
// batch may have failed in one table or another is asked for alone.
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
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/entries"
	"github.com/sealane/sealane/cloud/alicloud/write"
)

// Provider serves one VPC. Its methods may be called from several goroutines; it is a
// cloud.Tables.
type Provider struct {
	client  *call.Client
	entries *entries.Reader
	writer  *write.Writer
	vpc     api.VPCID
	quota   int
	settle  time.Duration
	poll    time.Duration
	log     *slog.Logger

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
	vpcAt, err := call.ParseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	ecsAt, err := call.ParseEndpoint(cmp.Or(c.EndpointECS, c.Endpoint))
	if err != nil {
		return nil, err
	}
	p := &Provider{
		vpc: c.VPC, quota: cmp.Or(c.Quota, defaultQuota), settle: cmp.Or(c.Settle, defaultSettle), poll: cmp.Or(c.Poll, defaultPoll),
		log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
	}
	source, err := c.source(p.log)
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(c.Timeout, defaultTimeout)
	p.client = call.New(call.Config{
		Region: c.Region, VPC: vpcAt, ECS: ecsAt, Timeout: timeout, Transport: call.NewTransport(timeout), Source: source, Pacer: c.Pacer,
	})
	p.entries = entries.NewReader(p.client, c.Seal)
	p.writer = write.New(write.Config{
		Client: p.client, Entries: p.entries, Seal: c.Seal, Quota: p.quota, Settle: p.settle, Poll: p.poll, Log: p.log,
	})
	return p, nil
}

// Routes implements cloud.Tables.
func (p *Provider) Routes(ctx context.Context, table api.TableID) ([]api.Route, error) {
	routes, err := p.entries.List(ctx, table)
	if err != nil {
		return nil, fmt.Errorf("list routes of %s: %w", table, err)
	}
	return routes, nil
}

// Apply implements cloud.Tables.
func (p *Provider) Apply(ctx context.Context, changes []api.Change, permit cloud.Permit) ([]cloud.Result, error) {
	return p.writer.Apply(ctx, changes, permit)
}

// Close lets go of idle connections. The provider can still be used.
func (p *Provider) Close() {
	(&http.Client{Transport: p.client.Transport}).CloseIdleConnections()
}
