// Package cloudtest has an honest in-memory cloud for tests, and the suite that every
// implementation of cloud.Tables must pass.
package cloudtest

import (
	"net/netip"
	"slices"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// World is what a cloud holds before a test begins. Its tables have no custom entries.
type World struct {
	Network   cloud.Network
	Instances []cloud.Instance
}

// Small is the world in which the suite runs: a VPC with a secondary range, a system and
// a custom table with a vSwitch each, and three instances, the last of them stopped.
func Small() World {
	const vpc = "vpc-bp1small0000000000001"
	const system, custom = "vtb-bp1small0000000000001", "vtb-bp1small0000000000002"
	const one, two = "vsw-bp1small0000000000001", "vsw-bp1small0000000000002"
	admits := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	instance := func(id api.InstanceID, vsw api.VSwitchID, ip string) cloud.Instance {
		return cloud.Instance{
			ID: id, Status: cloud.Running, VPC: vpc,
			Interface: cloud.Interface{VSwitch: vsw, IP: netip.MustParseAddr(ip), Admits: slices.Clone(admits)},
		}
	}
	w := World{
		Network: cloud.Network{
			VPC:   vpc,
			CIDRs: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.31.0.0/16")},
			VSwitches: []cloud.VSwitch{
				{ID: one, CIDR: netip.MustParsePrefix("192.168.0.0/24"), Table: system},
				{ID: two, CIDR: netip.MustParsePrefix("192.168.1.0/24"), Table: custom},
			},
			Tables: []cloud.Table{{ID: system, System: true, Quota: 200}, {ID: custom, Quota: 200}},
		},
		Instances: []cloud.Instance{
			instance("i-bp1small0000000000001", one, "192.168.0.11"),
			instance("i-bp1small0000000000002", two, "192.168.1.12"),
			instance("i-bp1small0000000000003", one, "192.168.0.13"),
		},
	}
	w.Instances[2].Status = cloud.Stopped
	w.Instances[2].SourceCheck = true
	return w
}
