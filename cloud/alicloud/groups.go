package alicloud

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const rulePage = 1000 // the most that DescribeSecurityGroupAttribute gives

// group is a security group.
type group struct {
	id         api.GroupID
	vpc        api.VPCID
	rules      []ecs.Permission // of both directions
	enterprise bool             // lets nothing out by itself
	inner      bool             // lets its members in among themselves
}

// readGroup reads a security group.
func (p *Provider) readGroup(ctx context.Context, id api.GroupID) (group, error) {
	g := group{id: id}
	apart := false
	err := call.ReadByToken(func(token string) (string, error) {
		req, resp := ecs.CreateDescribeSecurityGroupAttributeRequest(), ecs.CreateDescribeSecurityGroupAttributeResponse()
		req.SecurityGroupId, req.MaxResults, req.NextToken = string(id), requests.NewInteger(rulePage), token
		if err := p.client.Do(ctx, call.Request{About: string(id), List: "Permissions", Request: req, Response: resp}); err != nil {
			return "", err
		}
		g.vpc, g.rules = api.VPCID(resp.VpcId), append(g.rules, resp.Permissions.Permission...)
		apart = !strings.EqualFold(resp.InnerAccessPolicy, "Accept")
		g.inner = !apart
		return resp.NextToken, nil
	})
	if err == nil && apart {
		// Enterprise groups always keep their members apart, basic ones only on request
		// (ModifySecurityGroupPolicy page); otherwise the type need not be asked for.
		g.enterprise, err = p.isEnterprise(ctx, id)
	}
	return g, err
}

// isEnterprise asks for the type of a group, once. Without the permission to ask it is
// taken for an enterprise group, which lets less pass.
func (p *Provider) isEnterprise(ctx context.Context, id api.GroupID) (bool, error) {
	p.last.mu.Lock()
	is, known := p.last.enterprise[id]
	p.last.mu.Unlock()
	if known {
		return is, nil
	}
	list, err := json.Marshal([]api.GroupID{id})
	if err != nil {
		return false, err
	}
	req, resp := ecs.CreateDescribeSecurityGroupsRequest(), ecs.CreateDescribeSecurityGroupsResponse()
	req.SecurityGroupIds = string(list)
	err = p.client.Do(ctx, call.Request{About: string(id), List: "SecurityGroups", Request: req, Response: resp})
	if call.MissingPermission(err) {
		p.logMissing(ctx, readingTypes, err)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, g := range resp.SecurityGroups.SecurityGroup {
		if g.SecurityGroupId == string(id) {
			is := strings.EqualFold(g.SecurityGroupType, "enterprise")
			p.last.mu.Lock()
			defer p.last.mu.Unlock()
			if p.last.enterprise == nil {
				p.last.enterprise = map[api.GroupID]bool{}
			}
			p.last.enterprise[id] = is
			return is, nil
		}
	}
	return false, fmt.Errorf("DescribeSecurityGroups of %s: %w", id, api.ErrNotFound)
}

// authorization is the call that adds rules.
func (d direction) authorization() call.Request {
	if d == egress {
		return call.Request{Request: ecs.CreateAuthorizeSecurityGroupEgressRequest(), Response: ecs.CreateAuthorizeSecurityGroupEgressResponse()}
	}
	return call.Request{Request: ecs.CreateAuthorizeSecurityGroupRequest(), Response: ecs.CreateAuthorizeSecurityGroupResponse()}
}

// revocation is the call that removes rules.
func (d direction) revocation() call.Request {
	if d == egress {
		return call.Request{Request: ecs.CreateRevokeSecurityGroupEgressRequest(), Response: ecs.CreateRevokeSecurityGroupEgressResponse()}
	}
	return call.Request{Request: ecs.CreateRevokeSecurityGroupRequest(), Response: ecs.CreateRevokeSecurityGroupResponse()}
}

// changeGroup makes one of these calls. What it asks for travels as form parameters, since
// 100 rules make a request line that the gateway may refuse.
func (p *Provider) changeGroup(ctx context.Context, id api.GroupID, r call.Request, permit cloud.Permit) error {
	form := r.Request.GetFormParams()
	form["SecurityGroupId"], form["ClientToken"] = string(id), rand.Text()
	r.About, r.Permit = string(id), permit
	return p.client.Do(ctx, r)
}

// withPeer is a rule for packets from or to a range.
func (d direction) withPeer(peer netip.Prefix, r ecs.Permission) ecs.Permission {
	field := map[direction]map[bool]*string{
		ingress: {true: &r.SourceCidrIp, false: &r.Ipv6SourceCidrIp},
		egress:  {true: &r.DestCidrIp, false: &r.Ipv6DestCidrIp},
	}[d][peer.Addr().Is4()]
	*field = peer.String()
	return r
}

// putRules writes rules as parameters. What is empty is left out.
func putRules(form map[string]string, rules []ecs.Permission) {
	for i, r := range rules {
		for field, value := range map[string]string{
			"IpProtocol": r.IpProtocol, "PortRange": r.PortRange, "Policy": r.Policy, "Priority": r.Priority,
			"SourceCidrIp": r.SourceCidrIp, "Ipv6SourceCidrIp": r.Ipv6SourceCidrIp,
			"DestCidrIp": r.DestCidrIp, "Ipv6DestCidrIp": r.Ipv6DestCidrIp, "Description": r.Description,
		} {
			if value != "" {
				form[fmt.Sprintf("Permissions.%d.%s", i+1, field)] = value
			}
		}
	}
}
