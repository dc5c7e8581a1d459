package alicloud

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// rule reads "accept ALL -1/-1 10.0.0.0/8 1".
func rule(text string) ecs.Permission {
	f := strings.Fields(text)
	return ecs.Permission{
		Policy: f[0], IpProtocol: f[1], PortRange: f[2], SourceCidrIp: f[3], Priority: f[4], Direction: "ingress",
	}
}

func TestAdmits(t *testing.T) {
	outbound, narrow, listed := rule("Accept ALL -1/-1 10.0.0.0/8 1"), rule("Accept ALL -1/-1 10.0.0.0/8 1"), rule("Drop ALL -1/-1 x 1")
	outbound.Direction = "egress"
	narrow.DestCidrIp = "192.168.0.11/32"
	listed.SourceCidrIp, listed.SourcePrefixListId = "", "pl-1"
	grouped := rule("Drop ALL -1/-1 x 1")
	grouped.SourceCidrIp, grouped.SourceGroupId = "", "sg-2"
	accept := rule("accept all -1/-1 10.0.0.0/8 5")
	for name, test := range map[string]struct {
		rules []ecs.Permission
		want  string
	}{
		"none":                    {nil, ""},
		"one":                     {[]ecs.Permission{accept}, "10.0.0.0/8"},
		"a bare address":          {[]ecs.Permission{rule("Accept ALL -1/-1 10.0.0.1 1")}, "10.0.0.1/32"},
		"two, one of them twice":  {[]ecs.Permission{accept, rule("Accept ALL -1/-1 9.0.0.0/8 1"), accept}, "9.0.0.0/8 10.0.0.0/8"},
		"one protocol":            {[]ecs.Permission{rule("Accept TCP -1/-1 10.0.0.0/8 1")}, ""},
		"some ports":              {[]ecs.Permission{rule("Accept ALL 1/80 10.0.0.0/8 1")}, ""},
		"outbound":                {[]ecs.Permission{outbound}, ""},
		"to one address":          {[]ecs.Permission{narrow}, ""},
		"dropped before":          {[]ecs.Permission{accept, rule("Drop TCP 22/22 10.1.0.0/16 4")}, ""},
		"dropped at the same":     {[]ecs.Permission{accept, rule("drop ALL -1/-1 0.0.0.0/0 5")}, ""},
		"dropped after":           {[]ecs.Permission{accept, rule("Drop ALL -1/-1 0.0.0.0/0 6")}, "10.0.0.0/8"},
		"another is dropped":      {[]ecs.Permission{accept, rule("Drop ALL -1/-1 11.0.0.0/8 1")}, "10.0.0.0/8"},
		"an unknown list dropped": {[]ecs.Permission{accept, listed}, ""},
		"a group is dropped":      {[]ecs.Permission{accept, grouped}, "10.0.0.0/8"},
		"IPv6":                    {[]ecs.Permission{rule("Accept ALL -1/-1 ::/0 1")}, ""},
		"not a range":             {[]ecs.Permission{rule("Accept ALL -1/-1 x 1")}, ""},
	} {
		var got []string
		for _, p := range admits(test.rules) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Missing permissions make the answer careful, not wrong, and are said once.
func TestInstancesWithoutPermissions(t *testing.T) {
	var log strings.Builder
	r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r.sim.Fault(alisim.Fault{Action: "DescribeNetworkInterfaces", Code: "Forbidden.RAM", Status: 403, Times: -1})
	r.sim.Fault(alisim.Fault{Action: "DescribeSecurityGroupAttribute", Code: "Forbidden.RAM", Status: 403, Times: -1})
	id := api.InstanceID(route(0, 0, 0).NextHop)
	for range 2 {
		found, err := r.Instances(t.Context(), []api.InstanceID{id})
		if err != nil || len(found) != 1 {
			t.Fatalf("got %v, %v", found, err)
		}
		if !found[0].SourceCheck || found[0].Admits != nil || found[0].IP != netip.MustParseAddr("192.168.0.11") {
			t.Errorf("got %+v, want the careful reading", found[0])
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, log.String())
	}
	leaks(t, log.String())
}

// Any other trouble makes the whole answer fail: half of it would be taken for evidence.
func TestInstancesWithTrouble(t *testing.T) {
	for _, action := range []string{"DescribeInstances", "DescribeNetworkInterfaces", "DescribeSecurityGroupAttribute"} {
		r := newRig(t)
		r.sim.Fault(alisim.Fault{Action: action, HTML: true})
		found, err := r.Instances(t.Context(), []api.InstanceID{api.InstanceID(route(0, 0, 0).NextHop)})
		if !errors.Is(err, api.ErrUnreachable) || found != nil {
			t.Errorf("%s: got %v, %v; want ErrUnreachable", action, found, err)
		}
	}
}

// No id, or an empty one, must not become no filter.
func TestNoInstancesAsked(t *testing.T) {
	r := newRig(t)
	for _, ids := range [][]api.InstanceID{nil, {""}, {"", ""}} {
		if found, err := r.Instances(t.Context(), ids); err != nil || found != nil {
			t.Errorf("%q: got %v, %v", ids, found, err)
		}
	}
	if n := len(r.sim.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
