package alicloud

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// How full tables are is good to know, and no more: the cloud may say no to that alone.
func TestNetworkWithoutUsage(t *testing.T) {
	for code, warnings := range map[string]int{"Forbidden.RAM": 1, "Throttling.User": 0, "InvalidAction.NotFound": 0} {
		var log strings.Builder
		r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		r.done(t, creates(0, 2)...)
		if n, err := r.Network(t.Context()); err != nil || n.Tables[0].Used != 2 {
			t.Fatalf("got %+v, %v", n, err)
		}
		r.sim.Fault(alisim.Fault{Action: "GetVpcRouteEntrySummary", Code: code, Status: 403, Times: -1})
		for range 2 {
			n, err := r.Network(t.Context())
			if err != nil || len(n.Tables) != 2 || n.Tables[0].Used != 0 {
				t.Errorf("%s: got %+v, %v", code, n, err)
			}
		}
		if got := strings.Count(log.String(), "level=WARN"); got != warnings {
			t.Errorf("%s: %d warnings, want %d:\n%s", code, got, warnings, log.String())
		}
		leaks(t, log.String())
	}
}

// Trouble with any of its calls makes the whole answer fail.
func TestNetworkWithTrouble(t *testing.T) {
	for _, action := range []string{"DescribeVpcs", "DescribeVSwitches", "DescribeRouteTableList", "GetVpcRouteEntrySummary"} {
		r := newRig(t)
		r.sim.Fault(alisim.Fault{Action: action, HTML: true})
		if n, err := r.Network(t.Context()); !errors.Is(err, api.ErrUnreachable) || n.Tables != nil {
			t.Errorf("%s: got %+v, %v; want ErrUnreachable", action, n, err)
		}
	}
}
