package machine_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

const formerOptions = "{\n  \"bip\": \"10.1.0.1/24\",\n  \"unknown\": [1.50, {}]\n}\n"

// enrolling is a world whose engine can be restarted: it then writes its rules by what the
// options say. Each restart is counted.
type enrolling struct {
	*world
	config, count string
}

func newEnrolling(t *testing.T, state, restart string) *enrolling {
	t.Helper()
	c := readCapture(t, "29.7.2-nftables-"+state)
	dir := t.TempDir()
	e := &enrolling{newWorld(t, c), filepath.Join(dir, "docker", "daemon.json"), filepath.Join(dir, "count")}
	if err := os.Mkdir(filepath.Dir(e.config), 0o755); err != nil {
		t.Fatal(err)
	}
	e.options(t, formerOptions)
	marking := strings.ReplaceAll(accepting(c).nft, "0x00010000", "0x00020000")
	for name, rules := range map[string]string{"plain": c.nft, "marking": marking} {
		rules = "table ip docker-bridges {}\ndelete table ip docker-bridges\ntable ip6 docker-bridges {}\ndelete table ip6 docker-bridges\n" + rules
		rules = strings.ReplaceAll(rules, "hook output priority dstnat", "hook output priority -100")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`cd %s; echo x >>count; %s
		if grep -q '"allow-direct-routing": true' docker/daemon.json && grep -q '"bridge-accept-fwmark": "0x20000/0x20000"' docker/daemon.json
		then nft -f marking; else nft -f plain; fi`, dir, restart)
	e.again(t, script)
	// Somebody uses the mark that would be chosen first.
	w := e.world
	w.b.in(t, func() {
		shell(t, "nft add table ip other; nft add chain ip other in; nft add rule ip other in meta mark and 0x10000 == 0 counter; nft -f "+dir+"/plain")
	})
	return e
}

// again starts an agent on the state that is there, with this leave to restart the engine.
func (e *enrolling) again(t *testing.T, restart ...string) {
	t.Helper()
	e.host = machine.New(machine.Options{StateDir: e.state, DaemonConfig: e.config, RestartEngine: strings.Join(restart, "")})
}

func (e *enrolling) options(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(e.config, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func (e *enrolling) wantOptions(t *testing.T, want string) {
	t.Helper()
	have, err := os.ReadFile(e.config)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("options (-want +have):\n%s", diff)
	}
	info, err := os.Stat(e.config)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want that of the former file; %v", info.Mode(), err)
	}
}

func (e *enrolling) wantRestarts(t *testing.T, want int) {
	t.Helper()
	have, err := os.ReadFile(e.count)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if n := strings.Count(string(have), "x"); n != want {
		t.Errorf("restarted %d times, want %d", n, want)
	}
}

func (e *enrolling) restore(t *testing.T) {
	t.Helper()
	e.b.in(t, func() {
		if _, err := e.host.Restore(t.Context()); err != nil {
			t.Errorf("restore: %v", err)
		}
	})
}

func TestEnrol(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "")
	before := e.dump(t)
	e.b.in(t, func() {
		steps, err := e.host.Plan(t.Context(), e.wish(host.WayRedirect))
		var commands []string
		for _, s := range steps {
			commands = append(commands, s.Command)
		}
		if all := strings.Join(commands, "\n"); err != nil || !strings.Contains(all, `jq '."allow-direct-routing" = true | ."bridge-accept-fwmark" = "0x20000/0x20000"' `) || strings.Contains(all, "unknown") || !strings.Contains(all, "echo x >>count") {
			t.Errorf("plan: %v\n%s", err, all)
		}
	})
	e.wantRestarts(t, 0)
	e.wantOptions(t, formerOptions)

	e.mustApply(t, e.wish(host.WayRedirect))
	e.wantRestarts(t, 1)
	enrolled := strings.Replace(formerOptions, "{}]\n", "{}],\n  \"allow-direct-routing\": true,\n  \"bridge-accept-fwmark\": \"0x20000/0x20000\"\n", 1)
	e.wantOptions(t, enrolled)
	e.b.in(t, func() {
		f, err := e.host.Facts(t.Context(), netip.MustParseAddr(hostB))
		if err != nil || f.Native == nil || !f.Native.Marks() || f.Native.Mark != 0x20000 {
			t.Errorf("native %v, %v; want it to accept marks", f.Native, err)
		}
	})
	e.mustApply(t, e.wish(host.WayMark))
	e.wantIn(t, "enrolled", "all", "-", false)
	e.wantIdle(t, e.wish(host.WayMark))

	e.b.in(t, func() {
		steps, err := e.host.PlanRestore(t.Context())
		back := slices.ContainsFunc(steps, func(s host.Step) bool {
			return strings.HasPrefix(s.Command, `jq 'del(."allow-direct-routing") | del(."bridge-accept-fwmark")' `)
		})
		if err != nil || !back {
			t.Errorf("plan to restore: %v, %v", steps, err)
		}
	})

	// The options outlive a reboot, and so does the memory of them.
	memory := filepath.Join(e.state, "host.json")
	text, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	e.restore(t)
	e.wantOptions(t, formerOptions)
	e.wantRestarts(t, 2)
	if diff := cmp.Diff(before, e.dump(t)); diff != "" {
		t.Errorf("not as before (-before +after):\n%s", diff)
	}
	e.options(t, enrolled)
	rebooted := regexp.MustCompile(`"where": "\S+`).ReplaceAll(text, []byte(`"where": "earlier`))
	if err := os.WriteFile(memory, rebooted, 0o600); err != nil {
		t.Fatal(err)
	}
	e.again(t) // without leave it says that a restart is needed
	e.restore(t)
	e.wantOptions(t, formerOptions)
	e.wantRestarts(t, 2)
}

// TestEnrolGuards has the engine open the published ports of a network that is not wished
// for as well, since its option is for all.
func TestEnrolGuards(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "userbridge-published", "")
	wish := e.wish(host.WayRedirect)
	wish.Locals = slices.DeleteFunc(wish.Locals, func(l host.Local) bool { return l.Bridge != "docker0" })
	e.mustApply(t, wish)
	wish.Way = host.WayMark
	e.mustApply(t, wish)
	e.wantIn(t, "another network", "-", "-", false)
	e.wantIdle(t, wish)
}

// TestEnrolInVain has an engine that does not take the options.
func TestEnrolInVain(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "exit 0;")
	e.mustApply(t, e.wish(host.WayRedirect))
	for range 2 {
		out := e.apply(t, e.wish(host.WayRedirect))
		if err := out.Failures[host.PartEngine]; !errors.Is(err, api.ErrRefused) {
			t.Errorf("apply: %v, want it refused", err)
		}
	}
	e.wantRestarts(t, 1)
	e.wantIn(t, "in vain", "all", "-", false)
	e.restore(t)
	e.wantOptions(t, formerOptions)
}

// TestEnrolFails has an engine that does not start with the options.
func TestEnrolFails(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "if grep -q allow-direct docker/daemon.json; then echo conflicting options >&2; exit 1; fi;")
	err := e.apply(t, e.wish(host.WayRedirect)).Failures[host.PartEngine]
	if err == nil || !strings.Contains(err.Error(), "conflicting options") {
		t.Errorf("apply: %v, want what the command said", err)
	}
	e.wantOptions(t, formerOptions)
	e.wantRestarts(t, 2)
	if err := e.apply(t, e.wish(host.WayRedirect)).Failures[host.PartEngine]; !errors.Is(err, api.ErrRefused) {
		t.Errorf("apply: %v, want it refused", err)
	}
	e.wantRestarts(t, 2)
}

// TestEnrolRefused leaves alone what it has no leave for and what it does not understand.
func TestEnrolRefused(t *testing.T) {
	needReplay(t)
	e := newEnrolling(t, "published", "")
	broken := "{\n  \"bip\": \"10.1.0.1/24\", // ours\n}\n"
	e.options(t, broken)
	err := e.apply(t, e.wish(host.WayRedirect)).Failures[host.PartEngine]
	if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), e.config+": byte 26") {
		t.Errorf("apply: %v, want it to tell the place", err)
	}
	e.wantOptions(t, broken)
	e.again(t)
	e.mustApply(t, e.wish(host.WayRedirect))
	e.wantOptions(t, broken)
	e.wantRestarts(t, 0)
}
