package engines

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/deploy/lab"
)

// TestUpgrade puts newer engines in place of a host's under its running agent, which has
// nothing to mend: the other host reaches the containers as soon as they run again.
func TestUpgrade(t *testing.T) {
	if *engines != "all" {
		t.Skip("needs the engines of make e2e-engines")
	}
	all, missing := generations(t)
	t.Log(strings.Join(missing, "\n"))
	w := build(t, "engup", []spec{{generation: all[0], variant: "nft"}, {generation: all[0], variant: "nft"}})
	w.join(t)
	first, host := w.hosts[0], w.hosts[1]
	eventually(t, time.Minute, "sources are kept", w.kept(t))
	for _, g := range all[1:] {
		log, err := os.ReadFile("/run/sealane-lab/engup/logs/agent-h2.log")
		if err != nil {
			t.Fatal(err)
		}
		h, err := w.ReplaceEngine(t.Context(), 2, lab.HostEngine{Root: g.root})
		if err != nil {
			t.Fatal(err)
		}
		host.Host, host.generation = h, g
		for _, name := range []string{"plain", "pub"} {
			w.docker(t, host, "rm", "-f", name)
		}
		w.start(t, host, "plain")
		w.start(t, host, "pub", "-p", "8081:8080")
		for _, name := range []string{"plain", "pub"} {
			to := target{"", host.boxes[name].ip, 8080, false, false}
			eventually(t, 30*time.Second, name+" is reached on "+g.version, func() bool {
				return try(t.Context(), first.sources()[0], to) == first.boxes["plain"].ip
			})
		}
		if got := try(t.Context(), w.outsider(), target{"", host.boxes["plain"].ip, 8080, false, false}); got.IsValid() {
			t.Errorf("an outsider gets to an unpublished port on %s", g.version)
		}
		after, err := os.ReadFile("/run/sealane-lab/engup/logs/agent-h2.log")
		if err != nil {
			t.Fatal(err)
		}
		if news := string(after[len(log):]); strings.Contains(news, "reason=jump") || strings.Contains(news, "reason=chain") {
			t.Errorf("the upgrade to %s made the agent mend:\n%s", g.version, news)
		} else if strings.Contains(news, "SL-F012") {
			t.Errorf("the upgrade to %s was a finding for a moment:\n%s", g.version, news)
		}
	}
	if err := w.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}
