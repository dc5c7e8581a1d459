package machine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// TestGuardStands has all rules flushed, Docker's with them, and wants strangers kept out
// until Docker starts again, by an agent that was just started as well.
func TestGuardStands(t *testing.T) {
	needReplay(t)
	for _, strict := range []bool{false, true} {
		t.Run(map[bool]string{false: "all", true: "published"}[strict], func(t *testing.T) {
			c := accepting(readCapture(t, "29.7.2-nftables-published"))
			w := newWorld(t, c)
			before := w.dump(t)
			wish := w.wish(host.WayMark)
			wish.Strict = strict
			w.mustApply(t, wish)
			w.b.in(t, func() { shell(t, "nft flush ruleset") })
			want(t, "flushed", map[probe]string{{w.outside, "", "10.1.0.2:80"}: outsider})

			w.host = machine.New(machine.Options{StateDir: w.state})
			without := wish
			without.Way = host.WayNone
			if kinds := repaired(t, w, without); !slices.Contains(kinds, host.KindMark) {
				t.Errorf("flushed: repaired %v", kinds)
			}
			members := map[bool]string{false: containerA, true: "-"}[strict]
			want(t, "guarded", map[probe]string{
				{w.outside, "", "10.1.0.2:80"}:      "-",
				{w.outside, "", "10.1.0.2:82"}:      "-",
				{w.peer, containerA, "10.1.0.2:80"}: members,
			})
			w.wantIdle(t, without)
			none := without
			none.Locals, none.Remotes, none.Peers = nil, nil, nil
			w.mustApply(t, none)
			want(t, "no other hosts", map[probe]string{{w.outside, "", "10.1.0.2:80"}: "-"})

			w.b.in(t, func() { w.load(t, c) }) // Docker starts
			w.mustApply(t, wish)
			if !strict {
				w.wantIn(t, "Docker started", "all", "-", false)
			}
			w.wantIdle(t, wish)
			w.b.in(t, func() {
				if _, err := w.host.Restore(t.Context()); err != nil {
					t.Errorf("restore: %v", err)
				}
			})
			if diff := cmp.Diff(before, w.dump(t)); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}
}
