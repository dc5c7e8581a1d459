package alicloud

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

// direction is the way of packets as an interface sees it, in the cloud's spelling.
type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
)

// passingPeers returns what the groups of one interface let through in one direction, whatever is
// sent. Their rules count together: the smaller priority number first, and of equal ones
// those that drop (AuthorizeSecurityGroup page). What no rule is about, basic groups let out
// and enterprise groups do not; neither lets it in (ECS user guide, security group rules).
func passingPeers(way direction, groups ...group) []netip.Prefix {
	var rules []ecs.Permission
	closed := way == ingress
	for _, g := range groups {
		for _, r := range g.rules {
			if way.covers(r) {
				rules = append(rules, r)
			}
		}
		closed = closed || g.enterprise
	}
	var through []netip.Prefix
	for _, r := range rules {
		if peer, ok := way.accepts(r); ok {
			through = append(through, cloud.Minus(peer, way.droppedPeers(rules, priorityOf(r)))...)
		}
	}
	if !closed {
		for _, all := range everywhere() {
			through = append(through, cloud.Minus(all, way.droppedPeers(rules, weakest))...)
		}
	}
	slices.SortFunc(through, api.ComparePrefixes)
	return slices.Compact(through)
}

func everywhere() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
}

func (d direction) covers(r ecs.Permission) bool {
	return strings.EqualFold(r.Direction, string(d)) || r.Direction == "" && d == ingress
}

// sidesOf are the sides of a rule: where packets come from, or go to, and the interface's own
// side, to which a rule may be narrowed.
func (d direction) sidesOf(r ecs.Permission) (peer, prefixList string, own []string) {
	if d == egress {
		return r.DestCidrIp + r.Ipv6DestCidrIp, r.DestPrefixListId, []string{r.SourceCidrIp, r.Ipv6SourceCidrIp}
	}
	return r.SourceCidrIp + r.Ipv6SourceCidrIp, r.SourcePrefixListId, []string{r.DestCidrIp, r.Ipv6DestCidrIp}
}

// accepts reports the peers from or to which a rule accepts everything. One for a prefix
// list, whose content is not known here, accepts nothing for certain.
func (d direction) accepts(r ecs.Permission) (netip.Prefix, bool) {
	peer, ok := d.isAbout(r)
	return peer, ok && strings.EqualFold(r.Policy, "accept")
}

// isAbout reports the peers that a rule is about on every protocol and port.
func (d direction) isAbout(r ecs.Permission) (netip.Prefix, bool) {
	text, _, own := d.sidesOf(r)
	peer, err := call.ParsePrefix(text)
	whole := strings.EqualFold(r.IpProtocol, "all") &&
		(r.PortRange == "" || r.PortRange == everyPort) && (r.SourcePortRange == "" || r.SourcePortRange == everyPort)
	for _, narrowed := range own {
		whole = whole && (narrowed == "" || narrowed == "0.0.0.0/0" || narrowed == "::/0")
	}
	return peer, err == nil && whole
}

const (
	everyPort = "-1/-1"
	weakest   = 101 // comes after every priority
)

// droppedPeers are the peers from or to which rules up to a priority drop something. A rule for a
// prefix list may drop anything. One for a security group drops nothing of containers: their
// addresses belong to no interface, hence to no group.
func (d direction) droppedPeers(rules []ecs.Permission, upTo int) []netip.Prefix {
	var peers []netip.Prefix
	for _, r := range rules {
		if !strings.EqualFold(r.Policy, "drop") || priorityOf(r) > upTo {
			continue
		}
		text, prefixList, _ := d.sidesOf(r)
		peer, err := call.ParsePrefix(text)
		switch {
		case err == nil:
			peers = append(peers, peer)
		case text != "" || prefixList != "":
			peers = append(peers, everywhere()...)
		}
	}
	return peers
}

// priorityOf is 1 to 100, the smaller the stronger; 1 is the API's default.
func priorityOf(r ecs.Permission) int {
	n, err := strconv.Atoi(r.Priority)
	if err != nil {
		return 1
	}
	return n
}
