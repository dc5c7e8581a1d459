package lab

import (
	"context"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab/netns"
)

// The cloud's own ways to keep containers apart are real: each by itself holds all packets
// back, at once, and lets go again. What hosts need of the cloud goes on working.
func TestSecurityGroupAndSourceCheckDecide(t *testing.T) {
	l := routed(t, Options{Name: "t11", Engine: EngineNetns, Isolated: true})
	silent := func(why string) {
		t.Helper()
		await(t, l, Report.Silent)
		v := l.Inventory()
		if r := v.Check(t.Context(), time.Second); !r.Silent() || len(r.Pairs) != 2 {
			t.Errorf("%s: %+v", why, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for _, address := range []string{metadataAddress + ":80", openAPIAddress + ":80"} {
			conn, err := netns.DialTCP(ctx, netns.Path(v.Hosts[0].Namespace), address)
			if err != nil {
				t.Errorf("%s: the cloud's service is out of reach: %v", why, err)
				continue
			}
			_ = conn.Close()
		}
	}
	silent("the group does not admit the pool")
	group := securityGroup(l.opts, l.layout)
	group.Ingress = append(group.Ingress, alisim.Rule{Source: l.layout.pool})
	if err := l.Sim().SetSecurityGroup(vpcID, group); err != nil {
		t.Fatal(err)
	}
	await(t, l, Report.SourcesKept)
	h := l.Inventory().Hosts[0]
	if err := l.CheckSources(h, true); err != nil {
		t.Fatal(err)
	}
	silent("one host's interface checks sources and destinations")
	if err := l.CheckSources(h, false); err != nil {
		t.Fatal(err)
	}
	await(t, l, Report.SourcesKept)
}
