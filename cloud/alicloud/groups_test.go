package alicloud

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/google/go-cmp/cmp"
)

// rule reads "in accept ALL -1/-1 10.0.0.0/8 1".
func rule(text string) ecs.Permission {
	f := strings.Fields(text)
	r := ecs.Permission{Policy: f[1], IpProtocol: f[2], PortRange: f[3], Priority: f[5], Direction: "ingress"}
	six := strings.Contains(f[4], ":")
	switch {
	case f[0] == "out" && six:
		r.Ipv6DestCidrIp = f[4]
	case f[0] == "out":
		r.DestCidrIp = f[4]
	case six:
		r.Ipv6SourceCidrIp = f[4]
	default:
		r.SourceCidrIp = f[4]
	}
	if f[0] == "out" {
		r.Direction = "egress"
	}
	return r
}

func TestPasses(t *testing.T) {
	narrow, listed, open := rule("in Accept ALL -1/-1 10.0.0.0/8 1"), rule("in Drop ALL -1/-1 x 1"), rule("in Accept ALL -1/-1 x 1")
	narrow.DestCidrIp = "192.168.0.11/32"
	listed.SourceCidrIp, listed.SourcePrefixListId = "", "pl-1"
	open.SourceCidrIp, open.SourcePrefixListId = "", "pl-1"
	grouped := rule("in Drop ALL -1/-1 x 1")
	grouped.SourceCidrIp, grouped.SourceGroupId = "", "sg-2"
	ported := rule("in Accept ALL -1/-1 10.0.0.0/8 1")
	ported.SourcePortRange = "1/80"
	outNarrow := rule("out Accept ALL -1/-1 10.0.0.0/8 1")
	outNarrow.Ipv6SourceCidrIp = "2001:db8::1/128"
	accept := rule("in accept all -1/-1 10.0.0.0/8 5")
	all := func(rules ...ecs.Permission) []ecs.Permission { return rules }
	for name, test := range map[string]struct {
		rules    []ecs.Permission
		in, out  string // of a basic group
		outClose string // of an enterprise group
	}{
		"none":                    {nil, "", "0.0.0.0/0 ::/0", ""},
		"one":                     {all(accept), "10.0.0.0/8", "0.0.0.0/0 ::/0", ""},
		"a bare address":          {all(rule("in Accept ALL -1/-1 10.0.0.1 1")), "10.0.0.1/32", "0.0.0.0/0 ::/0", ""},
		"two, one of them twice":  {all(accept, rule("in Accept ALL -1/-1 9.0.0.0/8 1"), accept), "9.0.0.0/8 10.0.0.0/8", "0.0.0.0/0 ::/0", ""},
		"one protocol":            {all(rule("in Accept TCP -1/-1 10.0.0.0/8 1")), "", "0.0.0.0/0 ::/0", ""},
		"some ports":              {all(rule("in Accept ALL 1/80 10.0.0.0/8 1")), "", "0.0.0.0/0 ::/0", ""},
		"some source ports":       {all(ported), "", "0.0.0.0/0 ::/0", ""},
		"outbound":                {all(rule("out Accept ALL -1/-1 10.0.0.0/8 1")), "", "0.0.0.0/0 10.0.0.0/8 ::/0", "10.0.0.0/8"},
		"to one address":          {all(narrow), "", "0.0.0.0/0 ::/0", ""},
		"outbound of one address": {all(outNarrow), "", "0.0.0.0/0 ::/0", ""},
		"dropped before":          {all(accept, rule("in Drop TCP 22/22 10.128.0.0/9 4")), "10.0.0.0/9", "0.0.0.0/0 ::/0", ""},
		"dropped at the same":     {all(accept, rule("in drop ALL -1/-1 0.0.0.0/0 5")), "", "0.0.0.0/0 ::/0", ""},
		"dropped after":           {all(accept, rule("in Drop ALL -1/-1 0.0.0.0/0 6")), "10.0.0.0/8", "0.0.0.0/0 ::/0", ""},
		"another is dropped":      {all(accept, rule("in Drop ALL -1/-1 11.0.0.0/8 1")), "10.0.0.0/8", "0.0.0.0/0 ::/0", ""},
		"an unknown list dropped": {all(accept, listed), "", "0.0.0.0/0 ::/0", ""},
		"an unknown list":         {all(open), "", "0.0.0.0/0 ::/0", ""},
		"a group is dropped":      {all(accept, grouped), "10.0.0.0/8", "0.0.0.0/0 ::/0", ""},
		"IPv6":                    {all(rule("in Accept ALL -1/-1 fd00::/8 1")), "fd00::/8", "0.0.0.0/0 ::/0", ""},
		"not a range":             {all(rule("in Accept ALL -1/-1 x 1")), "", "0.0.0.0/0 ::/0", ""},
		"not a range dropped":     {all(accept, rule("in Drop ALL -1/-1 x 1")), "", "0.0.0.0/0 ::/0", ""},
		"out dropped":             {all(rule("out Drop ALL -1/-1 0.0.0.0/1 100"), rule("out Drop ALL -1/-1 8000::/1 9")), "", "128.0.0.0/1 ::/1", ""},
		"out dropped after":       {all(rule("out Drop ALL -1/-1 0.0.0.0/0 9"), rule("out Accept ALL -1/-1 10.0.0.0/8 8")), "", "10.0.0.0/8 ::/0", "10.0.0.0/8"},
	} {
		for _, way := range []struct {
			direction
			enterprise bool
			want       string
		}{{ingress, false, test.in}, {ingress, true, test.in}, {egress, false, test.out}, {egress, true, test.outClose}} {
			got := strings.Trim(fmt.Sprint(passingPeers(way.direction, group{rules: test.rules, enterprise: way.enterprise})), "[]")
			if diff := cmp.Diff(way.want, got); diff != "" {
				t.Errorf("%s, %s, enterprise %t (-want +got):\n%s", name, way.direction, way.enterprise, diff)
			}
		}
	}
}

// Rules of all groups count together.
func TestPassesOfSeveralGroups(t *testing.T) {
	a := group{rules: []ecs.Permission{rule("in accept ALL -1/-1 10.0.0.0/8 5")}}
	b := group{rules: []ecs.Permission{rule("in drop ALL -1/-1 10.0.0.0/9 5")}}
	if got := fmt.Sprint(passingPeers(ingress, a, b)); got != "[10.128.0.0/9]" {
		t.Errorf("got %s", got)
	}
}
