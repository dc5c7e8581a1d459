package alicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const pageSize = 50 // the most that DescribeVpcs, DescribeVSwitches and DescribeRouteTableList give

// Network implements cloud.Tables. It costs a call each for the VPC and for how full its
// tables are, and one for each 50 vSwitches and for each 50 tables. Only the pages of one list
// wait for each other.
func (p *Provider) Network(ctx context.Context) (cloud.Network, error) {
	n := cloud.Network{VPC: p.vpc}
	var used map[api.TableID]int
	err := runTogether(ctx,
		func(ctx context.Context) error { return p.readVPC(ctx, &n) },
		func(ctx context.Context) error { return p.readVSwitches(ctx, &n) },
		func(ctx context.Context) error { return p.readRouteTables(ctx, &n) },
		func(ctx context.Context) (err error) {
			used, err = p.readUsage(ctx)
			return err
		},
	)
	if err != nil {
		return cloud.Network{}, fmt.Errorf("read network: %w", err)
	}
	for i := range n.Tables {
		n.Tables[i].Used = used[n.Tables[i].ID]
	}
	return n, nil
}

// readUsage counts the custom entries of all tables of the VPC in one call. The cloud may
// say no to it alone: the permission is one of its own, and so is the rate, of 120 calls a
// minute for the whole account (VPC quota page). Then there are no counts.
func (p *Provider) readUsage(ctx context.Context) (map[api.TableID]int, error) {
	req, resp := vpc.CreateGetVpcRouteEntrySummaryRequest(), vpc.CreateGetVpcRouteEntrySummaryResponse()
	req.VpcId, req.RouteEntryType = string(p.vpc), "custom"
	err := p.client.Do(ctx, call.Request{About: string(p.vpc), List: "RouteEntrySummarys", Request: req, Response: resp})
	switch {
	case call.MissingPermission(err):
		p.logMissing(ctx, readingUsage, err)
		return nil, nil
	case errors.Is(err, api.ErrThrottled), errors.Is(err, api.ErrInvalid):
		return nil, nil
	case err != nil:
		return nil, err
	}
	used := map[api.TableID]int{}
	for _, t := range resp.RouteEntrySummarys {
		for _, kind := range t.EntrySummarys {
			if strings.EqualFold(kind.RouteEntryType, "custom") {
				used[api.TableID(t.RouteTableId)] = kind.Count
			}
		}
	}
	return used, nil
}

func (p *Provider) readVPC(ctx context.Context, n *cloud.Network) error {
	req, resp := vpc.CreateDescribeVpcsRequest(), vpc.CreateDescribeVpcsResponse()
	req.VpcId, req.PageSize = string(p.vpc), requests.NewInteger(pageSize)
	if err := p.client.Do(ctx, call.Request{About: string(p.vpc), List: "Vpcs", Request: req, Response: resp}); err != nil {
		return err
	}
	i := slices.IndexFunc(resp.Vpcs.Vpc, func(v vpc.Vpc) bool { return v.VpcId == string(p.vpc) })
	if i < 0 {
		return fmt.Errorf("%s in %s: %w", p.vpc, p.client.Region, api.ErrNotFound)
	}
	found := resp.Vpcs.Vpc[i]
	texts := append([]string{found.CidrBlock}, found.SecondaryCidrBlocks.SecondaryCidrBlock...)
	for _, six := range found.Ipv6CidrBlocks.Ipv6CidrBlock { // one for each carrier that gave it one
		texts = append(texts, six.Ipv6CidrBlock)
	}
	if six := found.Ipv6CidrBlock; six != "" && !slices.Contains(texts, six) {
		texts = append(texts, six)
	}
	for _, text := range texts {
		cidr, err := call.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("range of %s: %w", p.vpc, err)
		}
		n.CIDRs = append(n.CIDRs, cidr)
	}
	return nil
}

func (p *Provider) readVSwitches(ctx context.Context, n *cloud.Network) error {
	seen := map[api.VSwitchID]bool{}
	err := call.ReadByNumber(func(number int) (int, int, error) {
		req, resp := vpc.CreateDescribeVSwitchesRequest(), vpc.CreateDescribeVSwitchesResponse()
		req.VpcId, req.PageSize, req.PageNumber = string(p.vpc), requests.NewInteger(pageSize), requests.NewInteger(number)
		if err := p.client.Do(ctx, call.Request{About: string(p.vpc), List: "VSwitches", Request: req, Response: resp}); err != nil {
			return 0, 0, err
		}
		for _, v := range resp.VSwitches.VSwitch {
			cidr, err := call.ParsePrefix(v.CidrBlock)
			if err != nil {
				return 0, 0, fmt.Errorf("range of %s: %w", v.VSwitchId, err)
			}
			var six netip.Prefix
			if v.Ipv6CidrBlock != "" {
				if six, err = call.ParsePrefix(v.Ipv6CidrBlock); err != nil {
					return 0, 0, fmt.Errorf("IPv6 range of %s: %w", v.VSwitchId, err)
				}
			}
			id := api.VSwitchID(v.VSwitchId)
			if !seen[id] {
				n.VSwitches = append(n.VSwitches, cloud.VSwitch{ID: id, CIDR: cidr, CIDR6: six, Table: api.TableID(v.RouteTable.RouteTableId)})
			}
			seen[id] = true
		}
		return len(resp.VSwitches.VSwitch), resp.TotalCount, nil
	})
	slices.SortFunc(n.VSwitches, func(a, b cloud.VSwitch) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

func (p *Provider) readRouteTables(ctx context.Context, n *cloud.Network) error {
	seen := map[api.TableID]bool{}
	err := call.ReadByNumber(func(number int) (int, int, error) {
		req, resp := vpc.CreateDescribeRouteTableListRequest(), vpc.CreateDescribeRouteTableListResponse()
		req.VpcId, req.PageSize, req.PageNumber = string(p.vpc), requests.NewInteger(pageSize), requests.NewInteger(number)
		if err := p.client.Do(ctx, call.Request{About: string(p.vpc), List: "RouterTableList", Request: req, Response: resp}); err != nil {
			return 0, 0, err
		}
		for _, t := range resp.RouterTableList.RouterTableListType {
			id := api.TableID(t.RouteTableId)
			if id != "" && !seen[id] && takesEntries(t) {
				n.Tables = append(n.Tables, cloud.Table{ID: id, System: strings.EqualFold(t.RouteTableType, "System"), Quota: p.quota})
			}
			seen[id] = true
		}
		return len(resp.RouterTableList.RouterTableListType), resp.TotalCount, nil
	})
	slices.SortFunc(n.Tables, func(a, b cloud.Table) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

// takesEntries leaves out the tables of gateways, which accept none, and of routers of
// other kinds.
func takesEntries(t vpc.RouterTableListType) bool {
	return !strings.EqualFold(t.AssociateType, "Gateway") && (t.RouterType == "" || strings.EqualFold(t.RouterType, "VRouter"))
}
