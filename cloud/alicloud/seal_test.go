package alicloud

import (
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// A key is changed without a moment in which entries are nobody's.
func TestMarksAreSealedAnew(t *testing.T) {
	var c Config
	old := newRig(t, func(of *Config) {
		of.Seal = api.NewSeal("the old key")
		c = *of
	})
	c.Seal = api.NewSeal("the new key", "the old key")
	both, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(both.Close)
	want := route(0, 1, 0)
	apply := func(p *Provider, c api.Change) {
		t.Helper()
		results, err := p.Apply(t.Context(), []api.Change{c}, cloud.Always)
		if err != nil || results[0].Err != nil {
			t.Fatalf("%s: %v, %v", c, err, results)
		}
	}
	listed := func(p *Provider) api.Route {
		t.Helper()
		routes, err := p.Routes(t.Context(), want.Table)
		if err != nil || len(routes) != 1 {
			t.Fatalf("%v, %v", routes, err)
		}
		return routes[0]
	}
	apply(old.Provider, api.Change{Verb: api.Create, Route: want})
	seen := listed(both)
	if !seen.OwnedBy(want.Mark.Cluster) || !seen.Stale {
		t.Fatalf("under both keys: %+v, want it ours and stale", seen)
	}
	apply(both, api.Change{Verb: api.Replace, Route: want, Was: &seen, Reason: api.ReasonResealed})
	if now := listed(both); !now.OwnedBy(want.Mark.Cluster) || now.Stale || now.ID != seen.ID {
		t.Errorf("sealed anew: %+v", now)
	}
	if now := listed(old.Provider); now.OwnedBy(want.Mark.Cluster) || !now.Spoiled {
		t.Errorf("under the old key alone: %+v", now)
	}
}
