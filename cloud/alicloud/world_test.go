package alicloud

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
)

// world is cloudtest.Small as the simulator is told it.
func world() alisim.Seed {
	w := cloudtest.Small()
	v := alisim.VPC{ID: string(w.Network.VPC), CIDR: w.Network.CIDRs[0]}
	for _, p := range w.Network.CIDRs[1:] {
		if p.Addr().Is6() {
			v.IPv6 = p
			continue
		}
		v.Secondary = append(v.Secondary, p)
	}
	for _, g := range w.Groups {
		v.SecurityGroups = append(v.SecurityGroups, securityGroup(g))
	}
	for _, t := range w.Network.Tables {
		v.Tables = append(v.Tables, alisim.Table{ID: string(t.ID), System: t.System, Quota: t.Quota})
	}
	for _, id := range w.Gateways {
		v.Tables = append(v.Tables, alisim.Table{ID: string(id), Gateway: true})
	}
	for _, s := range w.Network.VSwitches {
		v.VSwitches = append(v.VSwitches, alisim.VSwitch{ID: string(s.ID), CIDR: s.CIDR, IPv6: s.CIDR6, Table: string(s.Table)})
	}
	seed := alisim.Seed{
		Region: "cn-hangzhou", VPCs: []alisim.VPC{v}, Keys: []alisim.Key{{ID: canaryID, Secret: canarySecret}},
	}
	for _, i := range w.Instances {
		seed.Instances = append(seed.Instances, simulated(i))
	}
	return seed
}

func simulated(i cloud.Instance) alisim.Instance {
	out := alisim.Instance{
		ID: string(i.ID), VPC: string(i.VPC), VSwitch: string(i.VSwitch), IP: i.IP, Status: string(i.Status),
		SourceDestCheck: i.SourceCheck, SecurityGroups: texts(i.Groups), ENI: string(i.Interface.ID), IPv6: six(i.Interface),
	}
	for _, o := range i.Others {
		out.Interfaces = append(out.Interfaces, alisim.Interface{
			ID: string(o.ID), VSwitch: string(o.VSwitch), IP: o.IP, IPv6: six(o), SecurityGroups: texts(o.Groups), SourceDestCheck: o.SourceCheck,
		})
	}
	return out
}

// six is an IPv6 address in an interface's vSwitch, if that has a range: an entry can only
// lead to a machine that has one.
func six(n cloud.Interface) []netip.Addr {
	for _, s := range cloudtest.Small().Network.VSwitches {
		if s.ID == n.VSwitch && s.CIDR6.IsValid() {
			a := s.CIDR6.Addr().As16()
			copy(a[12:], n.IP.AsSlice())
			return []netip.Addr{netip.AddrFrom16(a)}
		}
	}
	return nil
}

func texts[T ~string](ids []T) []string {
	var all []string
	for _, id := range ids {
		all = append(all, string(id))
	}
	return all
}

func securityGroup(g cloudtest.Group) alisim.SecurityGroup {
	out := alisim.SecurityGroup{ID: string(g.ID)}
	if g.Enterprise {
		out.Type, out.InnerAccess = alisim.EnterpriseGroup, "Drop"
	}
	for _, r := range g.Rules {
		rule := alisim.Rule{Protocol: r.Protocol, Ports: r.Ports, Priority: r.Priority, Description: r.Description}
		if r.Drop {
			rule.Policy = "drop"
		}
		if r.Egress {
			rule.Destination = r.Peer
			out.Egress = append(out.Egress, rule)
			continue
		}
		rule.Source = r.Peer
		out.Ingress = append(out.Ingress, rule)
	}
	return out
}

// hand is cloudtest.Hand in the simulator.
type hand struct{ sim *alisim.Sim }

var _ cloudtest.Hand = hand{}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// AddInstance releases the one with the id first.
func (h hand) AddInstance(i cloud.Instance) {
	if err := h.sim.ReclaimInstance(string(i.ID)); err != nil && !errors.Is(err, api.ErrNotFound) {
		panic(err)
	}
	must(h.sim.AddInstance(simulated(i)))
}

func (h hand) SetGroup(g cloudtest.Group) {
	must(h.sim.SetSecurityGroup(string(cloudtest.Small().Network.VPC), securityGroup(g)))
}

func (h hand) Rules(id api.GroupID) []cloudtest.Rule {
	groups := h.sim.Snapshot().VPCs[0].SecurityGroups
	at := slices.IndexFunc(groups, func(g alisim.SecurityGroup) bool { return g.ID == string(id) })
	var rules []cloudtest.Rule
	for n, list := range [][]alisim.Rule{groups[at].Ingress, groups[at].Egress} {
		for _, r := range list {
			rule := cloudtest.Rule{
				Egress: n == 1, Drop: r.Policy == "Drop", Priority: r.Priority, Description: r.Description,
				Peer: map[int]netip.Prefix{0: r.Source, 1: r.Destination}[n],
			}
			if r.Protocol != "ALL" {
				rule.Protocol, rule.Ports = r.Protocol, strings.Replace(r.Ports, everyPort, "", 1)
			}
			rules = append(rules, rule)
		}
	}
	return rules
}

func (h hand) AddForeign(r api.Route) {
	entry := alisim.Route{Destination: r.Destination, NextHop: r.NextHop, NextHopType: string(r.HopType)}
	if !r.Mark.IsZero() {
		entry.Name, entry.Description = r.Mark.Name(), api.Seal{}.Description(r)
	}
	must(h.sim.AddRoute(string(r.Table), entry))
}

func (h hand) Remove(key api.RouteKey) { must(h.sim.RemoveRoute(string(key.Table), key.Destination)) }

func (h hand) Point(key api.RouteKey, nextHop string) {
	must(h.sim.PointRoute(string(key.Table), key.Destination, nextHop))
}

// Label makes the entry anew, with another name.
func (h hand) Label(key api.RouteKey, name, description string) {
	for _, t := range h.sim.Snapshot().VPCs[0].Tables {
		for _, r := range t.Routes {
			if t.ID == string(key.Table) && r.Destination == key.Destination {
				h.Remove(key)
				r.Name, r.Description = name, description
				must(h.sim.AddRoute(t.ID, r))
				return
			}
		}
	}
	panic(fmt.Sprintf("no entry %s in %s", key.Destination, key.Table))
}
