package main

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent"
)

// TestRecallIdentity wants a host known while the metadata service is away, and state that came
// with a copied disk not taken for this machine's.
func TestRecallIdentity(t *testing.T) {
	for _, tt := range []struct {
		ip       string
		instance string // given by a flag
		want     string
	}{
		{"127.0.0.1", "", "i-1"},
		{"127.0.0.1", "i-9", "i-9"},
		{"203.0.113.7", "", ""}, // no address of this machine
	} {
		f := &flags{stateDir: t.TempDir(), metadataURL: "http://127.0.0.1:1", instance: tt.instance}
		id := agent.Identity{Instance: "i-1", Name: "web-1", Region: "cn-x", VPC: "vpc-1", VSwitch: "vsw-1", IP: netip.MustParseAddr(tt.ip)}
		if err := rememberIdentity(f.stateDir, id); err != nil {
			t.Fatal(err)
		}
		if have, ok := recallIdentity(f.stateDir); ok != (tt.want != "") {
			t.Errorf("%s: recalled %+v, %t", tt.ip, have, ok)
		}
		if tt.want == "" {
			continue
		}
		have, err := identify(t.Context(), f, slog.New(slog.DiscardHandler))
		id.Instance = have.Instance
		if diff := cmp.Diff(id, have, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || diff != "" || string(have.Instance) != tt.want {
			t.Errorf("%s: identity (-want +have):\n%s%v", tt.ip, diff, err)
		}
	}
}
