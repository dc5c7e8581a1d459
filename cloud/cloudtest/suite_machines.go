package cloudtest

import (
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// machineTests are about what interfaces and their security groups let through.
func machineTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"instance with a secondary interface": func(s *suite) {
			i := s.world.Instances[1]
			s.knows([]api.InstanceID{i.ID}, i)
			got := s.instance(1)
			for _, want := range []cloud.Interface{i.Interface, i.Others[0]} {
				if uplink, ok := got.Uplink(want.ID); !ok || uplink.IP != want.IP {
					s.Errorf("uplink %s: got address %s, %t; want %s", want.ID, uplink.IP, ok, want.IP)
				}
			}
			if _, ok := got.Uplink(s.world.Instances[0].Interface.ID); ok {
				s.Error("an interface of another instance is an uplink")
			}
		},
		"secondary interface comes and goes": func(s *suite) {
			i := s.world.Instances[0]
			s.knows([]api.InstanceID{i.ID}, i)
			other := s.world.Instances[1].Others[0]
			other.ID, other.IP, other.SourceCheck = "eni-bp1small0000000000099", netip.MustParseAddr("192.168.0.99"), true
			i.Others = []cloud.Interface{other}
			s.Hand.AddInstance(i)
			s.knows([]api.InstanceID{i.ID}, i)
			i.Others = nil
			s.Hand.AddInstance(i)
			s.knows([]api.InstanceID{i.ID}, i)
		},
		"source check of each interface": func(s *suite) {
			i := s.world.Instances[1]
			i.Others = []cloud.Interface{i.Others[0]}
			i.Others[0].SourceCheck = true
			s.Hand.AddInstance(i)
			s.knows([]api.InstanceID{s.host(1), s.host(2)}, i, s.world.Instances[2])
		},
		"groups of an interface count together": func(s *suite) {
			a, b := api.GroupID("sg-bp1small00000000000011"), api.GroupID("sg-bp1small00000000000012")
			s.Hand.SetGroup(Group{ID: a, Rules: rules("in accept 5 10.0.0.0/9")})
			s.Hand.SetGroup(Group{ID: b, Rules: rules("in accept 5 10.128.0.0/9")})
			i := s.world.Instances[0]
			i.Groups = []api.GroupID{b, a}
			s.Hand.AddInstance(i)
			got := s.instance(0)
			if len(got.Groups) != 2 || got.Groups[0] != a || got.Groups[1] != b {
				s.Errorf("groups %v, want both, sorted", got.Groups)
			}
			s.covers(got.Admits, "10.0.0.0/8", true)
			s.Hand.SetGroup(Group{ID: b, Rules: rules("in accept 5 10.128.0.0/9; in drop 5 10.0.0.0/16")})
			got = s.instance(0)
			s.covers(got.Admits, "10.0.0.0/8", false)
			s.covers(got.Admits, "10.0.0.0/16", false)
			s.covers(got.Admits, "10.1.0.0/16", true)
			s.covers(got.Admits, "10.128.0.0/9", true)
		},
		"what groups admit and emit": func(s *suite) {
			for _, test := range weighed {
				s.Hand.SetGroup(Group{ID: Basic, Enterprise: test.enterprise, Rules: rules(test.rules)})
				got := s.instance(0)
				for _, want := range []struct {
					list []netip.Prefix
					in   string
					want bool
				}{
					{got.Admits, test.admits, true},
					{got.Emits, test.emits, true},
					{got.Admits, test.keepsOut, false},
					{got.Emits, test.keepsIn, false},
				} {
					for pool := range strings.FieldsSeq(want.in) {
						if cloud.Covers(want.list, netip.MustParsePrefix(pool)) != want.want {
							s.Errorf("%q, enterprise %t: %v covers %s is %t", test.rules, test.enterprise, want.list, pool, !want.want)
						}
					}
				}
			}
		},
		"what groups surely drop": func(s *suite) {
			for _, test := range shut {
				s.Hand.SetGroup(Group{ID: Basic, Enterprise: test.enterprise, Rules: rules(test.rules)})
				got := s.instance(0)
				if got.Unread {
					s.Fatal("the groups were read")
				}
				for _, want := range []struct {
					openings []cloud.Opening
					in       string
					want     bool
				}{{got.MayAdmit, test.in, true}, {got.MayEmit, test.out, true}, {got.MayAdmit, test.notIn, false}, {got.MayEmit, test.notOut, false}} {
					for peer := range strings.FieldsSeq(want.in) {
						if cloud.Opens(want.openings, netip.MustParsePrefix(peer), nil) != want.want {
							s.Errorf("%q, enterprise %t: %v is open for %s: %t", test.rules, test.enterprise, want.openings, peer, !want.want)
						}
					}
				}
			}
		},
	}
}

// shut are rules of one group, and what something of may come in or go out, or surely not.
var shut = []struct {
	enterprise                    bool
	rules, in, notIn, out, notOut string
}{
	{false, "", "", "10.0.0.0/8 fd00::/8", "10.0.0.0/8 fd00::/8", ""},
	{true, "", "", "10.0.0.0/8", "", "10.0.0.0/8 fd00::/8"},
	{false, "in accept 1 10.0.0.0/8 TCP 22/22", "", "10.1.0.0/24 192.168.0.1/32", "", ""},
	{false, "in accept 1 10.0.0.0/8 ICMP -1/-1; in accept 1 10.0.0.0/8 UDP 1/65535", "", "10.1.0.0/24", "", ""},
	{false, "in accept 1 10.0.0.0/8 TCP 1/65535; in accept 1 11.0.0.0/8 TCP 30000/65535", "10.1.0.0/24 11.1.0.0/24", "", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 4 10.1.0.0/16 TCP 1/65535; in drop 4 10.2.0.0/16 UDP 1/65535", "10.2.1.0/24", "10.1.1.0/24", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 4 10.1.0.0/16", "10.0.0.0/8 10.2.0.0/24", "10.1.0.0/24", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 5 10.1.0.0/16", "", "10.1.0.0/24", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 6 10.1.0.0/16", "10.1.0.0/24", "", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 4 10.1.0.0/16 TCP 22/22", "10.1.0.0/24", "", "", ""},
	{false, "out drop 100 10.0.0.0/8", "", "", "11.0.0.0/8", "10.3.0.0/24"},
}

// weighed are rules of one group, and pools that they let in and out, or keep.
var weighed = []struct {
	enterprise                              bool
	rules, admits, keepsOut, emits, keepsIn string
}{
	{false, "", "", "10.0.0.0/8 fd00::/8", "10.0.0.0/8 fd00::/8", ""},
	{true, "", "", "10.0.0.0/8 fd00::/8", "", "10.0.0.0/8 fd00::/8"},
	{true, "out accept 1 10.0.0.0/8", "", "10.0.0.0/8", "10.0.0.0/8", "fd00::/8 11.0.0.0/8"},
	{false, "in accept 100 0.0.0.0/0", "10.0.0.0/8", "fd00::/8", "", ""},
	{false, "in accept 1 fd00::/8", "fd00:1::/64", "10.0.0.0/8 fe00::/8", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 5 10.1.0.0/16", "10.2.0.0/16", "10.0.0.0/8 10.1.0.0/24", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 4 10.1.0.0/16", "10.2.0.0/16", "10.0.0.0/8 10.1.0.0/24", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 6 0.0.0.0/0", "10.0.0.0/8", "11.0.0.0/8", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 1 fd00::/8", "10.0.0.0/8", "fd00::/8", "", ""},
	{false, "in accept 5 10.0.0.0/8; in drop 1 10.0.0.0/8 TCP 22/22", "", "10.0.0.0/8", "", ""},
	{false, "in accept 5 10.0.0.0/8; out drop 1 10.0.0.0/8", "10.0.0.0/8", "", "11.0.0.0/8", "10.0.0.0/8"},
	{false, "in accept 1 10.0.0.0/8 TCP 1/65535", "", "10.0.0.0/8", "", ""},
	{false, "out drop 50 0.0.0.0/0; out accept 49 10.0.0.0/8", "", "", "10.0.0.0/8 fd00::/8", "11.0.0.0/8"},
}

// rules reads "in accept 5 10.0.0.0/8; out drop 1 fd00::/8 TCP 22/22".
func rules(text string) []Rule {
	var all []Rule
	for line := range strings.SplitSeq(text, ";") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		r := Rule{Egress: f[0] == "out", Drop: f[1] == "drop", Peer: netip.MustParsePrefix(f[3])}
		for _, digit := range f[2] {
			r.Priority = 10*r.Priority + int(digit-'0')
		}
		if len(f) > 5 {
			r.Protocol, r.Ports = f[4], f[5]
		}
		all = append(all, r)
	}
	return all
}

// instance is one of the world's instances as the cloud describes it now.
func (s *suite) instance(n int) cloud.Instance {
	s.Helper()
	got, err := s.Tables.Instances(s.ctx, []api.InstanceID{s.host(n)})
	if err != nil || len(got) != 1 {
		s.Fatalf("got %v, %v; want one instance", got, err)
	}
	return got[0]
}

func (s *suite) covers(list []netip.Prefix, pool string, want bool) {
	s.Helper()
	if cloud.Covers(list, netip.MustParsePrefix(pool)) != want {
		s.Errorf("%v covers %s: %t, want %t", list, pool, !want, want)
	}
}
