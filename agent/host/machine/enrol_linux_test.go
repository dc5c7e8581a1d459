package machine_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	docker "github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

// needsForwarding is how dockerd restarts: with its nftables backend, not without forwarding.
const needsForwarding = `[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || { echo IPv4 forwarding is disabled >&2; exit 1; };`

// restarted has somebody else restart the engine, which then goes by the options or not.
func (e *enrolling) restarted(t *testing.T, how string) {
	t.Helper()
	e.b.in(t, func() { shell(t, "nft -f "+filepath.Join(filepath.Dir(e.count), how)) })
}

// wantOwed restores, for which the engine would have to be restarted first. A plan takes it
// that the leave to restart it will do.
func (e *enrolling) wantOwed(t *testing.T, when, leave string) {
	t.Helper()
	e.b.in(t, func() {
		steps, err := e.host.PlanRestore(t.Context())
		bare := slices.ContainsFunc(steps, func(s host.Step) bool { return s.Command == "nft delete table ip sealane-mark" })
		if bare == (leave == "") || (err != nil) == bare {
			t.Errorf("%s: plan to restore: %v, guard taken away: %t", when, err, bare)
		}
		if _, err := e.host.Restore(t.Context()); !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "run cleanup again") {
			t.Errorf("%s: restore: %v, want it refused", when, err)
		}
	})
	e.wantIn(t, when, "-", "-", false)
}

// TestEnrolCovered has strangers kept out from the restart to the end, also when the engine
// goes on with the options after cleanup.
func TestEnrolCovered(t *testing.T) {
	needReplay(t)
	for name, leave := range map[string]string{"no leave": "", "fails": "false"} {
		t.Run(name, func(t *testing.T) {
			e := newEnrolling(t, "published", "")
			before := e.dump(t)
			e.mustApply(t, e.wish(host.WayRedirect))
			e.wantIn(t, "just restarted", "all", "-", false)
			e.mustApply(t, e.wish(host.WayMark))
			e.wantIn(t, "by marks", "all", "-", false)
			e.mustApply(t, e.wish(host.WayRedirect))
			e.wantIn(t, "by the redirect again", "all", "-", false)
			e.wantIdle(t, e.wish(host.WayRedirect))

			e.again(t, leave)
			e.wantOwed(t, "cleanup", leave)
			e.wantOptions(t, formerOptions)
			e.again(t, leave)
			e.wantOwed(t, "cleanup again", leave)
			e.restarted(t, "plain")
			e.restore(t)
			if diff := cmp.Diff(before, e.dump(t)); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}
}

// TestEnrolForwarding has the engine restarted while the host forwards, both times.
func TestEnrolForwarding(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", needsForwarding)
	e.b.in(t, func() { shell(t, "echo 0 > /proc/sys/net/ipv4/ip_forward") })
	wish := e.wish(host.WayRedirect)
	left := wish
	left.Leave = []host.Part{host.PartForwarding}
	if err := e.apply(t, left).Failures[host.PartEngine]; !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "ip_forward") {
		t.Errorf("without forwarding: %v, want it refused", err)
	}
	e.wantRestarts(t, 0)
	e.wantOptions(t, formerOptions)
	e.mustApply(t, wish)
	e.wantRestarts(t, 1)
	wish.Way = host.WayMark
	e.mustApply(t, wish)
	e.restore(t)
	e.wantRestarts(t, 2)
	e.wantOptions(t, formerOptions)
	e.b.in(t, func() {
		if have := shell(t, "cat /proc/sys/net/ipv4/ip_forward"); have != "0\n" {
			t.Errorf("forwarding is %s, want it as before", have)
		}
	})
}

// TestEnrolEdited has the operator edit the file between a try that failed and the next, and
// remove it in the end.
func TestEnrolEdited(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "")
	if exec.Command("chattr", "+i", filepath.Dir(e.config)).Run() != nil {
		t.Skip("needs a file system with immutable directories")
	}
	first := e.apply(t, e.wish(host.WayRedirect)).Failures[host.PartEngine]
	shell(t, "chattr -i "+filepath.Dir(e.config))
	if first == nil {
		t.Error("wrote into an immutable directory")
	}
	edited := strings.Replace(formerOptions, "\"unknown\"", "\"data-root\": \"/srv/docker\",\n  \"unknown\"", 1)
	e.options(t, edited)
	e.mustApply(t, e.wish(host.WayRedirect))
	e.restore(t)
	e.wantOptions(t, edited)

	e.mustApply(t, e.wish(host.WayRedirect))
	if err := os.Remove(e.config); err != nil {
		t.Fatal(err)
	}
	e.restore(t)
	if _, err := os.Stat(e.config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed by the operator, there after cleanup: %v", err)
	}
}

// TestEnrolNot lists when the engine is not restarted.
func TestEnrolNot(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "")
	wish := e.wish(host.WayRedirect)
	not := func(when string, change func(*host.Wish)) error {
		w := wish
		change(&w)
		out := e.apply(t, w)
		e.wantRestarts(t, 0)
		if t.Failed() {
			t.Fatal(when)
		}
		return out.Failures[host.PartEngine]
	}
	for when, change := range map[string]func(*host.Wish){
		"left out":   func(w *host.Wish) { w.Leave = []host.Part{host.PartNative} },
		"incomplete": func(w *host.Wish) { w.Incomplete = true },
		"no subnet":  func(w *host.Wish) { w.Locals = nil },
	} {
		if err := not(when, change); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		e.wantOptions(t, formerOptions)
	}
	has := `{"allow-direct-routing": true, "bridge-accept-fwmark": "0x20000/0x20000"}`
	e.options(t, has)
	if err := not("in the file", func(*host.Wish) {}); !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("in the file: %v", err)
	}
	e.wantOptions(t, has)
	e.options(t, formerOptions)

	// A stopped engine leaves its table.
	silent, err := docker.Dial("unix://" + filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	talking := e.host
	e.host = machine.New(machine.Options{StateDir: e.state, DaemonConfig: e.config, RestartEngine: "echo x >>" + e.count, Engine: silent})
	for range 2 {
		if err := not("stopped", func(*host.Wish) {}); err != nil {
			t.Errorf("stopped: %v", err)
		}
		e.b.in(t, func() { _, _ = e.host.Facts(t.Context(), netip.MustParseAddr(hostB)) })
	}
	e.host = talking

	// An engine that has the option on its command line does not take it from the file.
	script := filepath.Join(t.TempDir(), "dockerd")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nread line\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.b.in(t, func() {
		dockerd := exec.Command(script, "--bip=10.1.0.1/24", "--allow-direct-routing=false")
		in, err := dockerd.StdinPipe()
		if err == nil {
			err = dockerd.Start()
		}
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _, _ = in.Close(), dockerd.Wait() })
	})
	if err := not("flags", func(*host.Wish) {}); !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "--allow-direct-routing") {
		t.Errorf("flags: %v", err)
	}
	e.wantOptions(t, formerOptions)
}

// TestEnrolInterrupted stops the agent while the engine is restarted.
func TestEnrolInterrupted(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "")
	dir := t.TempDir()
	shell(t, "mkfifo "+dir+"/begun "+dir+"/go")
	e.again(t, "cd "+dir+`; echo >begun; read line <go; echo "x  x" >>`+e.count)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(filepath.Join(dir, "begun"))
		stop()
		_ = os.WriteFile(filepath.Join(dir, "go"), []byte("\n"), 0)
	}()
	e.b.in(t, func() {
		if err := e.host.Apply(ctx, e.wish(host.WayRedirect)).Failures[host.PartEngine]; err != nil {
			t.Errorf("apply: %v", err)
		}
	})
	e.wantRestarts(t, 2) // once, by a command with quotes
}

// TestNativeStarting has an engine with the options start under the agent: its table has
// chains before it has bridges.
func TestNativeStarting(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "userbridge-published", "")
	e.options(t, `{"allow-direct-routing": true, "bridge-accept-fwmark": "0x20000/0x20000"}`)
	e.restarted(t, "marking")
	wish := e.wish(host.WayMark)
	wish.Locals = slices.DeleteFunc(slices.Clone(wish.Locals), func(l host.Local) bool { return l.Bridge != "docker0" })
	e.mustApply(t, wish)
	strangers := map[probe]string{}
	for c := range e.containers {
		strangers[probe{e.outside, "", c.String() + ":80"}] = "-"
	}
	want(t, "by marks", strangers) // also what is not ours
	e.wantRestarts(t, 0)
	e.b.in(t, func() {
		shell(t, `nft delete table ip docker-bridges; nft delete table ip6 docker-bridges; nft -f - <<'END'
table ip docker-bridges {
	chain filter-FORWARD { type filter hook forward priority filter; policy accept; }
	chain raw-PREROUTING { type filter hook prerouting priority raw; policy accept; }
}
END`)
	})
	wish.Way = host.WayRedirect // as long as no bridge takes a mark
	wantKinds(t, "starting", repaired(t, e.world, wish))
	want(t, "starting", strangers)
	e.b.in(t, func() {
		shell(t, `nft add chain ip docker-bridges filter-forward-in__docker0; nft add rule ip docker-bridges filter-forward-in__docker0 meta mark and 0x20000 == 0x20000 accept; nft add rule ip docker-bridges filter-forward-in__docker0 drop`)
	})
	wish.Way = host.WayMark
	wantKinds(t, "one bridge", repaired(t, e.world, wish))
	want(t, "one bridge", strangers)
	e.restarted(t, "marking")
	wantKinds(t, "started", repaired(t, e.world, wish))
	wish.Way = host.WayRedirect // which somebody took for better
	e.mustApply(t, wish)
	want(t, "by the redirect", strangers)
	e.wantRestarts(t, 0)
	e.restore(t)
}
