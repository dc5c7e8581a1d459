package alicloud

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
)

const rulePage = 1000 // the most that DescribeSecurityGroupAttribute gives

// ingress lists the inbound rules of a security group. It is never nil without an error.
func (p *Provider) ingress(ctx context.Context, group string) ([]ecs.Permission, error) {
	rules := []ecs.Permission{}
	err := byToken(func(token string) (string, error) {
		req, resp := ecs.CreateDescribeSecurityGroupAttributeRequest(), ecs.CreateDescribeSecurityGroupAttributeResponse()
		req.SecurityGroupId, req.Direction = group, "ingress"
		req.MaxResults, req.NextToken = requests.NewInteger(rulePage), token
		if err := p.client.do(ctx, call{about: group, list: "Permissions", req: req, resp: resp}); err != nil {
			return "", err
		}
		rules = append(rules, resp.Permissions.Permission...)
		return resp.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return rules, nil
}

// admits returns the sources that these inbound rules, of all groups of an instance
// together, let in on every protocol and port. A rule that drops any of it and is of the
// same or a smaller priority number outranks the one that accepts.
func admits(rules []ecs.Permission) []netip.Prefix {
	var sources []netip.Prefix
	for _, r := range rules {
		source, ok := acceptsAll(r)
		outranked := slices.ContainsFunc(rules, func(d ecs.Permission) bool { return drops(d, source) && priority(d) <= priority(r) })
		if ok && !outranked && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	slices.SortFunc(sources, api.ComparePrefixes)
	return sources
}

// acceptsAll reports the IPv4 source that a rule accepts whatever it sends.
func acceptsAll(r ecs.Permission) (netip.Prefix, bool) {
	source, err := parsePrefix(r.SourceCidrIp)
	whole := inbound(r) && strings.EqualFold(r.Policy, "accept") && strings.EqualFold(r.IpProtocol, "all") &&
		(r.PortRange == "" || r.PortRange == "-1/-1") && (r.SourcePortRange == "" || r.SourcePortRange == "-1/-1") &&
		(r.DestCidrIp == "" || r.DestCidrIp == "0.0.0.0/0")
	return source, err == nil && whole && source.Addr().Is4()
}

// drops reports whether a rule drops some of what a source sends. A rule for a prefix
// list, whose content is not known here, may. One for a security group does not: container
// addresses belong to no interface, hence to no group.
func drops(r ecs.Permission, source netip.Prefix) bool {
	if !inbound(r) || !strings.EqualFold(r.Policy, "drop") {
		return false
	}
	if r.SourceCidrIp == "" {
		return r.SourcePrefixListId != ""
	}
	from, err := parsePrefix(r.SourceCidrIp)
	return err != nil || from.Overlaps(source)
}

func inbound(r ecs.Permission) bool {
	return r.Direction == "" || strings.EqualFold(r.Direction, "ingress")
}

// priority is 1 to 100, the smaller the stronger; 1 is the API's default.
func priority(r ecs.Permission) int {
	n, err := strconv.Atoi(r.Priority)
	if err != nil {
		return 1
	}
	return n
}
