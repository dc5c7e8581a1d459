package cloud_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

func TestRulesForSinglePortsOpenNothing(t *testing.T) {
	for _, test := range []struct {
		protocol, ports string
		large, all      bool
	}{
		{"ALL", "-1/-1", true, true},
		{"", "", true, true},
		{"tcp", "1/65535", true, true},
		{"TCP", "0/65535", true, true},
		{"TCP", "30000/65535", true, false},
		{"TCP", "8000/9000", false, false},
		{"TCP", "22/22", false, false},
		{"TCP", "22", false, false},
		{"TCP", "9/1", false, false},
		{"UDP", "1/65535", false, false},
		{"ICMP", "-1/-1", false, false},
	} {
		if large, all := cloud.AtLarge(test.protocol, test.ports), cloud.AllPorts(test.protocol, test.ports); large != test.large || all != test.all {
			t.Errorf("%s %s: at large %t, all ports %t", test.protocol, test.ports, large, all)
		}
	}
}

func TestOpens(t *testing.T) {
	prefixes := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	openings := []cloud.Opening{
		{Peers: prefixes("10.0.0.0/9", "10.200.0.0/16")},
		{Peers: prefixes("0.0.0.0/0"), Group: "sg-a"},
	}
	for _, test := range []struct {
		peer   string
		groups []api.GroupID
		want   bool
	}{
		{"10.0.0.0/24", nil, true},
		{"10.200.7.1/32", nil, true},
		{"10.128.0.0/24", nil, false},
		{"10.0.0.0/8", nil, true},
		{"192.168.0.1/32", nil, false},
		{"192.168.0.1/32", []api.GroupID{"sg-b", "sg-a"}, true},
		{"192.168.0.1/32", []api.GroupID{"sg-b"}, false},
		{"fd00::/64", []api.GroupID{"sg-a"}, false},
	} {
		if got := cloud.Opens(openings, netip.MustParsePrefix(test.peer), test.groups); got != test.want {
			t.Errorf("%s of %v: %t, want %t", test.peer, test.groups, got, test.want)
		}
	}
}
