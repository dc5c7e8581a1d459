package cloud_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

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
