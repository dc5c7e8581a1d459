package main

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/cloudtest"
)

func TestCleanupUndoesWhatIsOnRecord(t *testing.T) {
	w := cloudtest.Small()
	fake := cloudtest.New(w)
	pool := []netip.Prefix{netip.MustParsePrefix("172.20.0.0/16")}
	if err := fake.Admit(t.Context(), cloudtest.Basic, "c", pool, cloud.Always); err != nil {
		t.Fatal(err)
	}
	if err := fake.Admit(t.Context(), cloudtest.Basic, "other", []netip.Prefix{netip.MustParsePrefix("172.21.0.0/16")}, cloud.Always); err != nil {
		t.Fatal(err)
	}
	rules := len(fake.Rules(cloudtest.Basic))
	third := w.Instances[2].Interface.ID
	if _, err := fake.SetSourceCheck(t.Context(), third, false, cloud.Always); err != nil {
		t.Fatal(err)
	}
	snap := api.Snapshot{
		Config: &api.Config{},
		Pass:   &api.Pass{Opened: []api.InterfaceID{third, "eni-released"}, Admitted: []api.GroupID{cloudtest.Basic, "sg-released"}},
	}
	run := func(dryRun bool) (string, error) {
		var out bytes.Buffer
		err := cleanup{cluster: "c", dryRun: dryRun, out: &out}.undo(t.Context(), snap, fake)
		return out.String(), err
	}
	checked := func() bool {
		found, err := fake.Instances(t.Context(), []api.InstanceID{w.Instances[2].ID})
		if err != nil || len(found) != 1 {
			t.Fatalf("%v, %v", found, err)
		}
		return found[0].SourceCheck
	}
	if out, err := run(true); err != nil || strings.Count(out, "would ") != 4 || checked() || len(fake.Rules(cloudtest.Basic)) != rules {
		t.Errorf("dry run: %v\n%s", err, out)
	}
	out, err := run(false)
	if err != nil || !checked() || len(fake.Rules(cloudtest.Basic)) != rules-1 || strings.Count(out, "it is gone") != 2 {
		t.Errorf("%v\n%s%+v", err, out, fake.Rules(cloudtest.Basic))
	}
	if out, err = run(false); err != nil || strings.Count(out, "nothing left to do") != 2 {
		t.Errorf("a second time: %v\n%s", err, out)
	}

	for what, change := range map[string]func(*api.Snapshot){
		"managed still":   func(s *api.Snapshot) { s.Config = &api.Config{Manage: []api.Manage{api.ManageSourceCheck}} },
		"no pass":         func(s *api.Snapshot) { s.Pass = nil },
		"half the record": func(s *api.Snapshot) { s.Unreadable = []api.Unreadable{{Key: "pass"}} },
	} {
		broken := snap
		change(&broken)
		err := cleanup{cluster: "c", out: &bytes.Buffer{}}.undo(t.Context(), broken, fake)
		if !errors.Is(err, api.ErrRefused) && !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
