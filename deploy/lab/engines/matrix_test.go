package engines

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// TestMatrix runs every cell on every pair of the engines that can be had, before the
// agents run and after.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: left out under -short")
	}
	if absent := engine.MissingForDocker(); os.Geteuid() != 0 || len(absent) > 0 {
		t.Skipf("needs root and Docker: %s", strings.Join(absent, ", "))
	}
	for _, tool := range []string{"docker", "ip", "iptables-legacy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: not found", tool)
		}
	}
	all, missing := generations(t)
	x := &matrix{}
	for _, l := range labs(all) {
		t.Run(l.name, func(t *testing.T) { l.run(t, x) })
	}
	t.Logf("the matrix\n%s%s", x, strings.Join(missing, "\n"))
}

// plan is a lab to run: its hosts are paired with one another.
type plan struct {
	name  string
	specs []spec
}

// labs are the pairs to run: for each variant of iptables two hosts of every engine, so that
// each is paired with itself and the others; then all of them mixed, with the policy ACCEPT.
// Of the machine's own engine alone, a pair and a host with the legacy variant.
func labs(all []generation) []plan {
	if len(all) == 1 {
		own := all[0]
		return []plan{{"own", []spec{{generation: own, variant: "nft"}, {generation: own, variant: "nft"}, {generation: own, variant: "legacy", open: true}}}}
	}
	var nft, legacy, mixed []spec
	for _, g := range all {
		for range 2 {
			nft, legacy = append(nft, spec{generation: g, variant: "nft"}), append(legacy, spec{generation: g, variant: "legacy"})
		}
		mixed = append(mixed, spec{generation: g, variant: "nft", open: true}, spec{generation: g, variant: "legacy", open: true})
	}
	return []plan{{"nft", nft}, {"legacy", legacy}, {"mixed", mixed}}
}

func (p plan) run(t *testing.T, x *matrix) {
	w := build(t, "eng"+p.name, p.specs)
	for _, m := range w.hosts {
		w.checkPolicy(t, m)
	}
	w.route(t, true)
	w.probe(t, x, "before", false)
	w.modes(t, x, "before", false)
	w.route(t, false)
	before := w.dumps(t)
	w.join(t)
	eventually(t, time.Minute, "sources are kept everywhere", w.kept(t))
	w.probe(t, x, "after", true)
	w.modes(t, x, "after", true)
	w.narrow(t, x)
	w.leave(t)
	after := w.dumps(t)
	for i, m := range w.hosts {
		if diff := cmp.Diff(before[i], after[i]); diff != "" {
			t.Errorf("%s is not as before (-before +after):\n%s", m.column, diff)
		}
	}
	if err := w.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// checkPolicy makes sure that the engine is in the state the column is named for.
func (w *world) checkPolicy(t *testing.T, m *member) {
	t.Helper()
	tool := map[bool]string{true: "iptables-legacy", false: "iptables-nft"}[strings.Contains(m.column, "/legacy")]
	rules := w.on(t, m, tool, "-S")
	want := map[bool]string{true: "-P FORWARD ACCEPT", false: "-P FORWARD DROP"}[m.open]
	if !strings.Contains(rules, want) || !strings.Contains(rules, "-N DOCKER\n") {
		t.Fatalf("%s: Docker did not write these rules with %s, or not %q:\n%s", m.column, tool, want, rules)
	}
}

// join starts the agents one by one, while the first two that are there, of different
// engines where there are several, ping each other, from the moment they can.
func (w *world) join(t *testing.T) {
	t.Helper()
	if err := w.StartController(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	first, second := w.hosts[0], w.hosts[len(w.hosts)-1]
	for _, m := range []*member{first, second} {
		if err := w.StartAgent(t.Context(), m.Host); err != nil {
			t.Fatal(err)
		}
	}
	to := target{"", second.boxes["plain"].ip, 0, false, false}
	eventually(t, time.Minute, "the first two reach each other", func() bool {
		return try(t.Context(), first.sources()[0], to).IsValid()
	})
	if len(w.hosts) == 2 {
		return
	}
	end := w.flow(t, first, second)
	for _, m := range w.hosts[1 : len(w.hosts)-1] {
		if err := w.StartAgent(t.Context(), m.Host); err != nil {
			t.Fatal(err)
		}
		there := target{"", m.boxes["plain"].ip, 0, false, false}
		eventually(t, time.Minute, m.column+" has joined", func() bool { return try(t.Context(), first.sources()[0], there).IsValid() })
	}
	end()
}

// flow pings between the first containers of two hosts until the test calls what it
// returns, which wants none lost.
func (w *world) flow(t *testing.T, from, to *member) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var traffic probe.Traffic
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		traffic, failure = w.Inventory().Stream(ctx, from.Host, to.Host)
	}()
	return func() {
		t.Helper()
		cancel()
		<-done
		if failure != nil || traffic.Lost > 0 || traffic.Sent == 0 {
			t.Errorf("%s -> %s: %v %v", from.column, to.column, traffic, failure)
		}
		t.Logf("%s -> %s while others come and go: %v", from.column, to.column, traffic)
	}
}

// kept reports whether every container shows its own address on every other host.
func (w *world) kept(t *testing.T) func() bool {
	return func() bool {
		for _, a := range w.hosts {
			for _, b := range w.hosts {
				for _, from := range a.sources()[:2] {
					for _, name := range []string{"plain", "upub"} {
						to := target{"", b.boxes[name].ip, 8080, false, false}
						if a != b && try(t.Context(), from, to) != from.own {
							return false
						}
					}
				}
			}
		}
		return true
	}
}

// narrow makes a hop on the way small and wants a large transfer to come through it: what
// comes to the first host is too big for its link, which the router tells the sender.
func (w *world) narrow(t *testing.T, x *matrix) {
	t.Helper()
	first := w.hosts[0]
	if err := w.Narrow(first.Host, 1400); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.hosts[1:] {
		for _, way := range [][2]*member{{first, m}, {m, first}} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			body, err := probe.Get(ctx, way[0].boxes["plain"].netns, fmt.Sprintf("%s:8080", way[1].boxes["plain"].ip), engine.LargePath)
			cancel()
			problem := ""
			if err != nil || len(body) != engine.LargeSize {
				problem = fmt.Sprintf("%d of %d bytes: %v", len(body), engine.LargeSize, err)
			}
			x.note(t, "after: 300 kB through a hop with MTU 1400", way[0].column+" > "+way[1].column, true, problem)
		}
	}
	if err := w.Narrow(first.Host, 1500); err != nil {
		t.Fatal(err)
	}
}

// leave takes all but the outermost two hosts out, one by one, while these ping each other,
// then stops all agents and cleans up.
func (w *world) leave(t *testing.T) {
	t.Helper()
	end := w.flow(t, w.hosts[0], w.hosts[len(w.hosts)-1])
	agent := func(m *member, command string) {
		w.on(t, m, append([]string{filepath.Join(os.Getenv(binEnv), "sealane-agent"), command}, w.AgentFlags(m.Host)...)...)
	}
	stop := func(m *member) {
		if err := w.Signal("agent-h"+fmt.Sprint(m.Index), syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	for _, m := range w.hosts[1 : len(w.hosts)-1] {
		agent(m, "leave")
		stop(m)
		agent(m, "cleanup")
		// One after the other: more at once would be more than the guard lets through.
		eventually(t, time.Minute, "the routes of "+m.column+" are withdrawn", func() bool {
			return !slices.ContainsFunc(w.Sim().Routes(lab.Table), func(r alisim.Route) bool {
				return r.Destination == m.Bip.Masked() || r.Destination == m.app
			})
		})
	}
	end()
	for _, m := range []*member{w.hosts[0], w.hosts[len(w.hosts)-1]} {
		stop(m)
		agent(m, "cleanup")
	}
}

// dumps are what the agents change on each host, as its own tools print it.
func (w *world) dumps(t *testing.T) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, m := range w.hosts {
		one := map[string]string{}
		for name, script := range map[string]string{
			"iptables-nft":    "iptables-nft-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
			"iptables-legacy": "test ! -s /proc/net/ip_tables_names || iptables-legacy-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
			"ip6tables-nft":   "ip6tables-nft-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
			"sysctls":         "grep -rs . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf | sort",
		} {
			one[name] = w.on(t, m, "sh", "-c", script)
		}
		// What the roots have no tools for, and is the kernel's anyway.
		inside := exec.CommandContext(t.Context(), "nsenter", "--net="+netnsOf(m.Namespace), "sh", "-ec",
			"nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'; ipset save; tc qdisc show dev eth0; tc filter show dev eth0 ingress 2>/dev/null || true")
		out, err := inside.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		one["nft, ipset, tc"] = string(out)
		all = append(all, one)
	}
	return all
}
