package engines

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestStrict has agents that admit published ports only, on engines of which one drops what
// is not published by itself and the other does not. Docker restarts as ever.
func TestStrict(t *testing.T) {
	if *engines != "all" {
		t.Skip("needs the engines of make e2e-engines; deploy/lab/e2e has it with the machine's own")
	}
	all, missing := generations(t)
	t.Log(strings.Join(missing, "\n"))
	w := build(t, "engstrict", []spec{{generation: all[0], variant: "nft"}, {generation: all[len(all)-1], variant: "nft"}}, "--admit", "published")
	if err := w.StartController(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := w.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, pair := range [][2]*member{{w.hosts[0], w.hosts[1]}, {w.hosts[1], w.hosts[0]}} {
			from, to := pair[0].sources()[0], pair[1].boxes
			for _, name := range []string{"pub", "upub"} {
				eventually(t, time.Minute, when+": the published port is reached, from the container's own address", func() bool {
					return try(t.Context(), from, target{ip: to[name].ip, port: 8080}) == from.own
				})
			}
			for what, closed := range map[string]target{
				"an unpublished port": {ip: to["plain"].ip, port: 8080}, "a second port": {ip: to["pub"].ip, port: 8082}, "ping": {ip: to["plain"].ip},
			} {
				if got := try(t.Context(), from, closed); got.IsValid() {
					t.Errorf("%s: %s answers on %s", when, what, pair[1].column)
				}
			}
		}
	}
	check("at first")
	m := w.hosts[1]
	if _, err := w.RestartDocker(t.Context(), m.Index, m.Bip); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "pub", "uplain", "upub"} {
		w.docker(t, m, "start", name)
		b := w.look(t, m, name)
		if b.ip == (netip.Addr{}) {
			t.Fatalf("%s has no address", name)
		}
	}
	check("after Docker restarted")
	if err := w.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}
