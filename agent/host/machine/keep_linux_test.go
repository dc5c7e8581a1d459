package machine_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

// withoutNFT is a path to all commands of this machine but nft.
func withoutNFT(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		names, _ := os.ReadDir(from)
		for _, n := range names {
			if n.Name() != "nft" {
				_ = os.Symlink(filepath.Join(from, n.Name()), filepath.Join(dir, n.Name())) // the first of a name counts
			}
		}
	}
	return dir
}

// TestSourceChain keeps sources where nft is not installed: by a chain of iptables, which
// Docker gets ahead of; and by the table once nft is there.
func TestSourceChain(t *testing.T) {
	needReplay(t)
	path, lacking := os.Getenv("PATH"), withoutNFT(t)
	for _, engine := range []string{"20.10.24-legacy-plain", "29.7.2-legacy-published", "29.7.2-iptables-userbridge-published"} {
		t.Run(engine, func(t *testing.T) {
			t.Setenv("PATH", path)
			w := newWorld(t, readCapture(t, engine))
			before := w.dump(t)
			wish := w.wish(host.WayNone)
			wish.Keep = wish.Remotes
			for _, l := range wish.Locals {
				wish.KeepFrom = append(wish.KeepFrom, l.Prefix)
			}
			t.Setenv("PATH", lacking)
			w.mustApply(t, wish)
			w.wantOut(t, "kept by the chain", "")
			w.wantIdle(t, wish)
			w.wantWay(t, host.SourceChain, "nft is not installed", wish.Keep...)

			variant := "nft"
			if w.legacy {
				variant = "legacy"
			}
			w.b.in(t, func() {
				shell(t, "iptables-"+variant+" -t nat -I POSTROUTING 1 -s 10.1.0.0/16 ! -o docker0 -j MASQUERADE") // as Docker does for a network
			})
			w.wantWay(t, host.SourceChain, "nft is not installed")
			w.host = machine.New(machine.Options{StateDir: w.state})
			wantKinds(t, "Docker got ahead", repaired(t, w, wish), host.KindSource)
			w.wantOut(t, "first again", "")
			w.wantIdle(t, wish)

			gone := wish
			gone.Keep = nil
			w.mustApply(t, gone)
			w.wantOut(t, "nothing kept", hostB)
			w.mustApply(t, wish)
			w.b.in(t, func() {
				shell(t, "iptables-"+variant+" -t nat -D POSTROUTING -s 10.1.0.0/16 ! -o docker0 -j MASQUERADE")
			})

			t.Setenv("PATH", path)
			w.mustApply(t, wish)
			w.wantOut(t, "kept by the table", "")
			w.wantWay(t, host.SourceTable, "", wish.Keep...)
			w.b.in(t, func() {
				if out := shell(t, "iptables-"+variant+"-save; ipset list -n"); strings.Contains(out, "SEALANE-SRC") || strings.Contains(out, "sealane-keep") {
					t.Errorf("the chain is still there:\n%s", out)
				}
			})
			t.Setenv("PATH", lacking)
			if err := w.apply(t, wish).Failures[host.PartSource]; err == nil || !strings.Contains(err.Error(), "cannot be changed") {
				t.Errorf("nft was taken away: %v", err)
			}
			w.wantWay(t, "", "")
			t.Setenv("PATH", path)
			w.b.in(t, func() { shell(t, "nft delete table ip sealane") })
			t.Setenv("PATH", lacking)
			w.mustApply(t, wish)
			w.b.in(t, func() {
				if _, err := w.host.Restore(t.Context()); err != nil {
					t.Errorf("restore: %v", err)
				}
			})
			t.Setenv("PATH", path)
			if diff := cmp.Diff(before, w.dump(t)); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}
}

// wantWay wants the facts to tell how sources are kept, why so, and toward what.
func (w *world) wantWay(t *testing.T, way host.SourceWay, why string, kept ...netip.Prefix) {
	t.Helper()
	w.b.in(t, func() {
		f, err := w.host.Facts(t.Context(), netip.MustParseAddr(hostB))
		if err != nil || f.SourceWay != way || !strings.Contains(f.SourceWhy, why) || (why == "") != (f.SourceWhy == "") {
			t.Errorf("kept by %q since %q, want %q since %q; %v", f.SourceWay, f.SourceWhy, way, why, err)
		}
		if diff := cmp.Diff(kept, f.Kept, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("kept (-want +have):\n%s", diff)
		}
	})
}

// TestNativeWithoutNFT names the command that is missing where Docker's rules are in nftables,
// and tells the rest of the facts.
func TestNativeWithoutNFT(t *testing.T) {
	needReplay(t)
	w := newWorld(t, readCapture(t, "29.7.2-nftables-published"))
	t.Setenv("PATH", withoutNFT(t))
	w.b.in(t, func() {
		f, err := w.host.Facts(t.Context(), netip.MustParseAddr(hostB))
		if err != nil || len(f.Missing) != 1 || !strings.HasPrefix(f.Missing[0], "the command nft ") || len(f.Bridges) == 0 {
			t.Errorf("missing %q, bridges %v, %v", f.Missing, f.Bridges, err)
		}
	})
	if err := w.apply(t, w.wish(host.WayRedirect)).Failures[host.PartNative]; !errors.Is(err, api.ErrUnsupported) {
		t.Errorf("applied: %v", err)
	}
}
