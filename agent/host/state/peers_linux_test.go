package state_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

func TestPeersAreRemembered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	h := state.New(dir)
	if p, err := h.RecallPeers(); err != nil || !reflect.DeepEqual(p, host.Peers{}) {
		t.Errorf("recalled %+v, %v of nothing", p, err)
	}
	six := netip.MustParsePrefix("fd10::/64")
	want := host.Peers{
		Cluster: "prod", VPC: "vpc-1", Instance: "i-a", Hosts: []api.InstanceID{"i-a", "i-b"},
		Locals:  []host.Local{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "docker0"}, {Prefix: six, Bridge: "docker0"}},
		Remotes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}, Peers: []netip.Addr{netip.MustParseAddr("192.168.0.2")},
		KeepFrom: []netip.Prefix{six},
	}
	for range 2 {
		if err := h.RememberPeers(want); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := state.New(dir).RecallPeers(); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("recalled %+v, %v; want %+v", p, err, want)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v; want one", files, err)
	}
	path := filepath.Join(dir, "peers.json")
	if err := os.WriteFile(path, []byte(`{"cluster":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := h.RecallPeers(); err == nil || !strings.Contains(err.Error(), path) || !reflect.DeepEqual(p, host.Peers{}) {
		t.Errorf("recalled %+v, %v of half a file", p, err)
	}
}
