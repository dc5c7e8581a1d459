// Package cloudtest has an honest in-memory cloud for tests, and the suite that every
// implementation of cloud.Tables and cloud.Gates must pass.
package cloudtest

import (
	"net/netip"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// World is what a cloud holds before a test begins. Its tables have no custom routes.
type World struct {
	Network   cloud.Network
	Gateways  []api.TableID // tables of gateways, which no description of the network has
	Groups    []Group
	Instances []cloud.Instance // Admits and Emits of an interface follow from its groups
}

// Group is a security group.
type Group struct {
	ID         api.GroupID
	Enterprise bool // nothing comes in or goes out that no rule accepts; else all goes out
	Rules      []Rule
}

// Rule accepts packets, or drops them.
type Rule struct {
	Egress      bool         // of packets that leave the interface
	Drop        bool         // else it accepts
	Peer        netip.Prefix // where they come from; for egress, where they go
	Protocol    string       // TCP, UDP; empty is all
	Ports       string       // such as 22/22; empty is all
	Priority    int          // 1, the strongest, to 100; 0 means 1
	Description string
}

// The security groups of Small.
const (
	Basic      = api.GroupID("sg-bp1small00000000000001") // lets 10.0.0.0/8 in and everything out
	Enterprise = api.GroupID("sg-bp1small00000000000002") // lets 10.0.0.0/8 in and out
)

// Small is the world in which the suite runs: a VPC with a secondary and an IPv6 range, a
// system and a custom table with a vSwitch each and a gateway's table, and three instances.
// The second has a secondary interface; the third is stopped, and its interface checks
// source and destination.
func Small() World {
	const vpc = "vpc-bp1small0000000000001"
	const system, custom, gateway = "vtb-bp1small0000000000001", "vtb-bp1small0000000000002", "vtb-bp1small0000000000003"
	const one, two = "vsw-bp1small0000000000001", "vsw-bp1small0000000000002"
	pool := netip.MustParsePrefix("10.0.0.0/8")
	w := World{
		Network: cloud.Network{
			VPC: vpc,
			CIDRs: []netip.Prefix{
				netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.31.0.0/16"), netip.MustParsePrefix("2001:db8:1::/56"),
			},
			VSwitches: []cloud.VSwitch{
				{ID: one, CIDR: netip.MustParsePrefix("192.168.0.0/24"), CIDR6: netip.MustParsePrefix("2001:db8:1::/64"), Table: system},
				{ID: two, CIDR: netip.MustParsePrefix("192.168.1.0/24"), Table: custom},
			},
			Tables: []cloud.Table{{ID: system, System: true, Quota: 200}, {ID: custom, Quota: 200}},
		},
		Gateways: []api.TableID{gateway},
		Groups: []Group{
			{ID: Basic, Rules: []Rule{{Peer: pool}}},
			{ID: Enterprise, Enterprise: true, Rules: []Rule{{Peer: pool}, {Peer: pool, Egress: true}}},
		},
		Instances: []cloud.Instance{
			{ID: "i-bp1small0000000000001", Status: cloud.Running, VPC: vpc, Interface: card("eni-bp1small0000000000001", one, "192.168.0.11", Basic)},
			{ID: "i-bp1small0000000000002", Status: cloud.Running, VPC: vpc, Interface: card("eni-bp1small0000000000002", two, "192.168.1.12", Basic)},
			{ID: "i-bp1small0000000000003", Status: cloud.Stopped, VPC: vpc, Interface: card("eni-bp1small0000000000003", one, "192.168.0.13", Basic)},
		},
	}
	w.Instances[1].Others = []cloud.Interface{card("eni-bp1small0000000000012", one, "192.168.0.222", Enterprise)}
	w.Instances[2].SourceCheck = true
	return w
}

// card is an interface, with what its group of Small comes to.
func card(id api.InterfaceID, vswitch api.VSwitchID, ip string, group api.GroupID) cloud.Interface {
	pool := netip.MustParsePrefix("10.0.0.0/8")
	c := cloud.Interface{
		ID: id, VSwitch: vswitch, IP: netip.MustParseAddr(ip), Groups: []api.GroupID{group},
		Admits: []netip.Prefix{pool}, Emits: []netip.Prefix{pool},
	}
	if group == Basic {
		c.Emits = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	}
	return c
}
