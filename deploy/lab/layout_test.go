package lab

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func routeTo(h Host) alisim.Route {
	return alisim.Route{Destination: h.Bip.Masked(), NextHop: string(h.Instance)}
}

func TestLayoutIsTheScenario(t *testing.T) {
	l, err := newLayout(netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8"), 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for k := 1; k <= 3; k++ {
		h, err := l.host("lab", k)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{h.Name, string(h.Instance), h.IP.String(), h.Bip.String(), h.Namespace}, " "))
	}
	want := []string{
		"host1 i-8vb6dyu0clj3b538e1yh 192.168.1.196 10.0.0.1/24 sl-lab-h1",
		"host2 i-8vbbhvwcbk9yjeigcctn 192.168.1.197 10.1.0.1/24 sl-lab-h2",
		"host3 " + string(instanceID(3)) + " 192.168.1.198 10.2.0.1/24 sl-lab-h3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l.mgr().String() != "192.168.0.10" || gatewayOf(l.hostNet).String() != "192.168.1.253" {
		t.Errorf("management host %s, gateway %s", l.mgr(), gatewayOf(l.hostNet))
	}
	if len(instanceID(3)) != len(instanceID(1)) || instanceID(3) == instanceID(4) {
		t.Errorf("ids %s and %s", instanceID(3), instanceID(4))
	}
}

func TestLayoutOfASmallPoolIsAdjacent(t *testing.T) {
	l, err := newLayout(netip.MustParsePrefix("10.0.0.0/23"), netip.MustParsePrefix("172.20.0.0/22"), 4)
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.host("lab", 4)
	if err != nil || h.Bip.String() != "172.20.3.1/24" || h.IP.String() != "10.0.1.199" {
		t.Errorf("host 4: %+v %v", h, err)
	}
	if _, err := l.host("lab", 5); !errors.Is(err, api.ErrUsage) {
		t.Errorf("host 5 does not fit: %v", err)
	}
}

func TestEveryHostOfALargePoolHasItsPlace(t *testing.T) {
	l, err := newLayout(netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8"), MaxHosts)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for k := 1; k <= MaxHosts; k++ {
		h, err := l.host("lab", k)
		if err != nil {
			t.Fatal(err)
		}
		if h.IP == gatewayOf(l.hostNet) || !l.hostNet.Contains(h.IP) {
			t.Errorf("host %d at %s", k, h.IP)
		}
		for _, name := range []string{h.IP.String(), h.Bip.String(), string(h.Instance)} {
			if seen[name] {
				t.Errorf("host %d: %s twice", k, name)
			}
			seen[name] = true
		}
	}
}

func TestOptionsThatCannotBeBuilt(t *testing.T) {
	p := netip.MustParsePrefix
	for _, c := range []struct {
		why  string
		o    Options
		want string
	}{
		{"no hosts", Options{Hosts: -1}, "-1 hosts: a lab has 1 to 50"},
		{"too many hosts", Options{Hosts: 51}, "51 hosts: a lab has 1 to 50"},
		{"pool too small", Options{Hosts: 3, BipPool: p("10.0.0.0/23")}, "bip pool 10.0.0.0/23 is too small: it has no /24 for each of 3 hosts"},
		{"pool smaller than a bip", Options{BipPool: p("10.0.0.0/28")}, "bip pool 10.0.0.0/28 is too small"},
		{"vpc too small", Options{VPC: p("192.168.0.0/24")}, "vpc 192.168.0.0/24 is too small"},
		{"pool in the vpc", Options{VPC: p("10.0.0.0/16")}, "bip pool 10.0.0.0/8 overlaps the vpc 10.0.0.0/16"},
		{"host bits", Options{BipPool: netip.MustParsePrefix("10.0.0.1/8")}, "did you mean 10.0.0.0/8"},
		{"IPv6", Options{VPC: p("fd00::/16")}, "not an IPv4 prefix"},
		{"the cloud's own range", Options{VPC: p("100.64.0.0/16")}, "overlaps 100.64.0.0/10"},
		{"engine", Options{Engine: "podman"}, "engine \"podman\" is none of docker, netns, auto"},
		{"name", Options{Name: "a-b"}, "name \"a-b\""},
		{"replicas without etcd", Options{Controllers: 2}, "2 controllers"},
	} {
		t.Run(c.why, func(t *testing.T) {
			_, err := c.o.withDefaults()
			if !errors.Is(err, api.ErrUsage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want wrong usage with %q", err, c.want)
			}
		})
	}
}
