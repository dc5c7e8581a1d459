package alicloud

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

var _ cloud.Gates = (*Provider)(nil)

// SetSourceCheck implements cloud.Gates.
func (p *Provider) SetSourceCheck(ctx context.Context, id api.InterfaceID, on bool, permit cloud.Permit) (changed bool, err error) {
	if changed, err = p.setSourceCheck(ctx, id, on, permit); err != nil {
		return false, fmt.Errorf("switch the source/destination check of %s: %w", id, err)
	}
	return changed, nil
}

func (p *Provider) setSourceCheck(ctx context.Context, id api.InterfaceID, on bool, permit cloud.Permit) (changed bool, err error) {
	is, err := p.sourceCheck(ctx, id)
	if err != nil || is == on {
		return false, err
	}
	req, resp := ecs.CreateModifyNetworkInterfaceAttributeRequest(), ecs.CreateModifyNetworkInterfaceAttributeResponse()
	req.NetworkInterfaceId, req.SourceDestCheck = string(id), requests.NewBoolean(on)
	err = p.client.Do(ctx, call.Request{About: string(id), Request: req, Response: resp, Permit: permit})
	return true, p.confirm(ctx, err, func(ctx context.Context) (bool, error) {
		is, err := p.sourceCheck(ctx, id)
		return is == on, err
	})
}

// sourceCheck reads the check of an interface of the VPC.
func (p *Provider) sourceCheck(ctx context.Context, id api.InterfaceID) (bool, error) {
	if id == "" { // it would be no filter
		return false, fmt.Errorf("no interface: %w", api.ErrInvalid)
	}
	req, resp := ecs.CreateDescribeNetworkInterfacesRequest(), ecs.CreateDescribeNetworkInterfacesResponse()
	req.NetworkInterfaceId, req.MaxResults = &[]string{string(id)}, requests.NewInteger(interfacePage)
	if err := p.client.Do(ctx, call.Request{About: string(id), List: "NetworkInterfaceSets", Request: req, Response: resp}); err != nil {
		return false, err
	}
	for _, n := range resp.NetworkInterfaceSets.NetworkInterfaceSet {
		if n.NetworkInterfaceId == string(id) && n.VpcId == string(p.vpc) {
			return n.SourceDestCheck, nil
		}
	}
	return false, fmt.Errorf("%s in %s: %w", id, p.vpc, api.ErrNotFound)
}

// confirm reads until a write is seen, whatever its answer was, unless that says that
// nothing was done. A write that is not seen within the settle time is unknown.
func (p *Provider) confirm(ctx context.Context, sent error, seen func(context.Context) (bool, error)) error {
	if sent != nil && !errors.Is(sent, api.ErrUnknown) {
		return sent
	}
	timed, cancel := context.WithTimeout(ctx, p.settle)
	defer cancel()
	var last error // of reading
	for try := 1; ; try++ {
		ok, err := seen(timed)
		if timed.Err() == nil {
			last = err
		}
		switch {
		case err == nil && ok:
			return nil
		case call.Stops(err) && timed.Err() == nil:
			return fmt.Errorf("sent; reading back: %w: %w", api.ErrUnknown, err)
		}
		select {
		case <-time.After(call.BackOff(p.poll, try)):
		case <-timed.Done():
			return errors.Join(fmt.Errorf("sent, not seen within %s: %w", p.settle, api.ErrUnknown), sent, last, ctx.Err())
		}
	}
}

// Admit implements cloud.Gates. A rule of ours has priority 1, so that only a rule that
// drops at the same priority outranks it; a pool that one drops any of is ErrRefused, and
// nothing is added for it.
func (p *Provider) Admit(ctx context.Context, id api.GroupID, cluster string, pools []netip.Prefix, permit cloud.Permit) error {
	if err := cloud.ValidateAdmit(id, cluster, pools); err != nil {
		return err
	}
	if err := p.admit(ctx, id, cluster, pools, permit); err != nil {
		return fmt.Errorf("admit pools to %s: %w", id, err)
	}
	return nil
}

func (p *Provider) admit(ctx context.Context, id api.GroupID, cluster string, pools []netip.Prefix, permit cloud.Permit) error {
	g, err := p.ownGroup(ctx, id)
	if err != nil {
		return err
	}
	var refused error
	for _, way := range []direction{ingress, egress} {
		var add []netip.Prefix
		for _, pool := range g.missingPools(way, pools) {
			if rule, ok := g.outranks(way, pool); ok {
				refused = errors.Join(refused, fmt.Errorf("%s rule %s drops some of %s at priority 1: %w", way, rule, pool, api.ErrRefused))
				continue
			}
			add = append(add, pool)
		}
		for chunk := range slices.Chunk(add, ruleLimit) {
			if err := p.authorize(ctx, id, way, cluster, chunk, permit); err != nil {
				return errors.Join(err, refused)
			}
		}
	}
	return refused
}

const ruleLimit = 100 // rules that one call takes

// ownGroup reads a group of the VPC.
func (p *Provider) ownGroup(ctx context.Context, id api.GroupID) (group, error) {
	g, err := p.readGroup(ctx, id)
	if err == nil && g.vpc != p.vpc {
		err = fmt.Errorf("%s in %s: %w", id, p.vpc, api.ErrNotFound)
	}
	return g, err
}

// missingPools returns the pools that the group by itself does not let through.
func (g group) missingPools(way direction, pools []netip.Prefix) []netip.Prefix {
	through := passingPeers(way, g)
	return slices.DeleteFunc(slices.Clone(pools), func(pool netip.Prefix) bool { return cloud.Covers(through, pool) })
}

// outranks names a rule that drops some of a pool before any rule could accept it.
func (g group) outranks(way direction, pool netip.Prefix) (rule string, ok bool) {
	for _, r := range g.rules {
		if !way.covers(r) {
			continue
		}
		for _, dropped := range way.droppedPeers([]ecs.Permission{r}, 1) {
			if dropped.Overlaps(pool) {
				return r.SecurityGroupRuleId, true
			}
		}
	}
	return "", false
}

// authorize adds one rule for each pool and reads them back.
func (p *Provider) authorize(ctx context.Context, id api.GroupID, way direction, cluster string, pools []netip.Prefix, permit cloud.Permit) error {
	var rules []ecs.Permission
	for _, pool := range pools {
		r := ecs.Permission{IpProtocol: "ALL", PortRange: everyPort, Policy: "accept", Priority: "1", Description: cloud.RuleMark(cluster)}
		rules = append(rules, way.withPeer(pool, r))
	}
	req := way.authorization()
	putRules(req.Request.GetFormParams(), rules)
	err := p.changeGroup(ctx, id, req, permit)
	return p.confirm(ctx, err, func(ctx context.Context) (bool, error) {
		g, err := p.ownGroup(ctx, id)
		return err == nil && len(g.missingPools(way, pools)) == 0, err
	})
}

// Revoke implements cloud.Gates.
func (p *Provider) Revoke(ctx context.Context, id api.GroupID, cluster string, permit cloud.Permit) (int, error) {
	if err := cloud.ValidateRevoke(id, cluster); err != nil {
		return 0, err
	}
	n, err := p.revokeAll(ctx, id, cluster, permit)
	if err != nil {
		return 0, fmt.Errorf("revoke rules of %s in %s: %w", cluster, id, err)
	}
	return n, nil
}

func (p *Provider) revokeAll(ctx context.Context, id api.GroupID, cluster string, permit cloud.Permit) (int, error) {
	g, err := p.ownGroup(ctx, id)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, way := range []direction{ingress, egress} {
		ours := g.marked(way, cluster)
		n += len(ours)
		for chunk := range slices.Chunk(ours, ruleLimit) {
			if err := p.revoke(ctx, id, way, cluster, chunk, permit); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// marked are the rules of a direction that carry the cluster's mark.
func (g group) marked(way direction, cluster string) []ecs.Permission {
	var ours []ecs.Permission
	for _, r := range g.rules {
		if way.covers(r) && r.Description == cloud.RuleMark(cluster) {
			ours = append(ours, r)
		}
	}
	return ours
}

// revoke removes rules of one direction and reads that they are gone. The cloud refuses all
// of them for one that somebody else removed meanwhile: then those that are left are tried.
func (p *Provider) revoke(ctx context.Context, id api.GroupID, way direction, cluster string, rules []ecs.Permission, permit cloud.Permit) error {
	left := func(ctx context.Context) ([]ecs.Permission, error) {
		g, err := p.ownGroup(ctx, id)
		return slices.DeleteFunc(g.marked(way, cluster), func(r ecs.Permission) bool { return !slices.Contains(rules, r) }), err
	}
	req := way.revocation()
	form := req.Request.GetFormParams()
	if slices.ContainsFunc(rules, func(r ecs.Permission) bool { return r.SecurityGroupRuleId == "" }) {
		putRules(form, rules)
	} else {
		for i, r := range rules {
			form["SecurityGroupRuleId."+strconv.Itoa(i+1)] = r.SecurityGroupRuleId
		}
	}
	refused := p.changeGroup(ctx, id, req, permit)
	if errors.Is(refused, api.ErrInvalid) || errors.Is(refused, api.ErrNotFound) {
		rest, err := left(ctx)
		if err != nil || len(rest) == len(rules) {
			return errors.Join(refused, err)
		}
		if len(rest) == 0 {
			return nil
		}
		return p.revoke(ctx, id, way, cluster, rest, permit)
	}
	return p.confirm(ctx, refused, func(ctx context.Context) (bool, error) {
		rest, err := left(ctx)
		return err == nil && len(rest) == 0, err
	})
}
