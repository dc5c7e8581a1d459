package engines

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/deploy/lab/engine"
)

// TestForwardingLeftOff has engines up to 27 that are told to leave forwarding alone, and leave
// the policy of FORWARD open: turning forwarding on would let strangers in everywhere. The agent
// says so and leaves it off; once the policy drops it turns it on, and peers get in alone.
func TestForwardingLeftOff(t *testing.T) {
	skipWithoutEngines(t)
	all, missing := generations(t)
	t.Log(strings.Join(missing, "\n"))
	for _, g := range all {
		if g.drops {
			continue // it keeps strangers out whatever the policy
		}
		t.Run(g.version, func(t *testing.T) {
			w := build(t, "engfwd", []spec{{generation: g, variant: "nft", config: `{"ip-forward": false}`}, {generation: g, variant: "nft"}})
			m := w.hosts[0]
			w.route(t, true)
			before := w.strangersReach(t, m)
			w.route(t, false)
			w.startAll(t)
			w.said(t, m, "SL-F025 failure", false)
			if after := w.strangersReach(t, m); !slices.Equal(before, after) {
				t.Errorf("an outsider reaches %v with the agent, and %v without", after, before)
			}
			w.on(t, m, "iptables", "-P", "FORWARD", "DROP")
			w.said(t, m, "", true)
			from, to := w.hosts[1].sources()[0], target{ip: m.boxes["plain"].ip, port: 8080}
			eventually(t, 30*time.Second, "the other host's container gets in", func() bool { return try(t.Context(), from, to).IsValid() })
			for _, name := range w.strangersReach(t, m) {
				if strings.HasPrefix(name, "plain") || strings.HasPrefix(name, "uplain") {
					t.Errorf("an outsider reaches %s once all is well", name)
				}
			}
			if err := w.Down(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRulesFlushed takes all rules away, Docker's among them. The agent mends its own, and says
// of the rest what mends it: Docker's restart.
func TestRulesFlushed(t *testing.T) {
	if *engines != "all" {
		t.Skip("needs the engines of make e2e-engines; deploy/lab/e2e has it with the machine's own")
	}
	all, missing := generations(t)
	t.Log(strings.Join(missing, "\n"))
	var specs []spec
	for _, g := range all {
		specs = append(specs, spec{generation: g, variant: "nft"})
	}
	w := build(t, "engflush", specs)
	w.startAll(t)
	for _, m := range w.hosts {
		w.said(t, m, "", true)
	}
	for _, m := range w.hosts {
		w.on(t, m, "nft", "flush", "ruleset")
		w.said(t, m, "SL-F024 failure", false)
		if _, err := w.RestartDocker(t.Context(), m.Index, m.Bip); err != nil {
			t.Fatal(err)
		}
		w.said(t, m, "", true)
	}
	if err := w.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func skipWithoutEngines(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes: left out under -short")
	}
	if absent := engine.MissingForDocker(); os.Geteuid() != 0 || len(absent) > 0 {
		t.Skipf("needs root and Docker: %s", strings.Join(absent, ", "))
	}
}

func (w *world) startAll(t *testing.T) {
	t.Helper()
	if err := w.StartController(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := w.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// strangersReach are the targets of a host that an outsider gets to.
func (w *world) strangersReach(t *testing.T, m *member) []string {
	t.Helper()
	targets := m.targets()
	reached := make([]string, len(targets))
	var all sync.WaitGroup
	for i, to := range targets {
		all.Go(func() {
			if try(t.Context(), w.outsider(), to).IsValid() {
				reached[i] = to.name
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(reached, func(name string) bool { return name == "" })
}

// said waits until the cluster says of a host that it is ready or not, and has the finding,
// "CODE severity", or none that is more than info.
func (w *world) said(t *testing.T, m *member, finding string, ready bool) {
	t.Helper()
	reader, err := client.New(w.Inventory().API)
	if err != nil {
		t.Fatal(err)
	}
	last := api.HostStatus{}
	eventually(t, time.Minute, m.column+" is said to be ready or not, with "+finding, func() bool {
		s, err := reader.Status(t.Context())
		if err != nil {
			return false
		}
		at := slices.IndexFunc(s.Hosts, func(h api.HostStatus) bool { return h.Instance == m.Instance })
		if at < 0 {
			return false
		}
		last = s.Hosts[at]
		var grave []string
		for _, f := range last.Findings {
			if f.Severity != api.Info {
				grave = append(grave, string(f.Code)+" "+string(f.Severity))
			}
		}
		return (last.State == api.HostReady) == ready && (finding == "" && len(grave) == 0 || slices.Contains(grave, finding))
	}, func() any { return last })
}
