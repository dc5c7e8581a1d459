package steady_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane/agent/steady"
)

// loop plays an agent whose source is kept one pass after it was found ready.
type loop struct {
	swing  steady.Swing
	now    time.Time
	keeps  bool
	writes int
}

// pass makes one pass; drops says whether packets are dropped given that the source is kept.
func (l *loop) pass(outside string, drops func(keeps bool) bool) (careful bool) {
	l.now = l.now.Add(time.Second)
	ours := map[bool]string{true: "kept", false: "masked"}[l.keeps]
	ready := !drops(l.keeps)
	careful = l.swing.Note(l.now, steady.Reading{Ours: ours, Outside: outside, Ready: ready})
	if next := ready && !careful; next != l.keeps {
		l.keeps = next
		l.writes++
	}
	return careful
}

func TestSwingSettles(t *testing.T) {
	l := &loop{now: time.Unix(0, 0)}
	admitsHostsOnly := func(keeps bool) bool { return keeps }
	for i := range 30 {
		careful := l.pass("x", admitsHostsOnly)
		if i >= 8 && !careful {
			t.Fatalf("pass %d: still swinging", i)
		}
	}
	writes := l.writes
	for range 100 {
		l.pass("x", admitsHostsOnly)
	}
	if l.writes != writes || l.keeps || writes > 8 {
		t.Errorf("%d writes, then %d more, source kept %t; want none more, not kept", writes, l.writes-writes, l.keeps)
	}

	never := func(bool) bool { return false }
	l.pass("y", never)
	for range 5 {
		if l.pass("y", never) {
			t.Error("the careful reading holds though the rule is gone")
		}
	}
	if !l.keeps {
		t.Error("the source is not kept though all is well")
	}
}

// TestSwingRelapse wants a host on which other things change often not tried each time.
func TestSwingRelapse(t *testing.T) {
	l := &loop{now: time.Unix(0, 0)}
	admitsHostsOnly := func(keeps bool) bool { return keeps }
	for i := range 600 {
		l.pass(time.Duration(i/10).String(), admitsHostsOnly)
	}
	if l.writes > 50 {
		t.Errorf("%d writes in ten minutes", l.writes)
	}
}

// TestSwingLeavesOthersAlone wants a verdict that somebody else turns taken as it is.
func TestSwingLeavesOthersAlone(t *testing.T) {
	l := &loop{now: time.Unix(0, 0)}
	for i := range 200 {
		down := i%20 >= 10
		if l.pass("x", func(bool) bool { return down }) {
			t.Fatalf("pass %d: taken for a swing of ours", i)
		}
	}
}

// TestSwingByWhatShows wants a swing seen also where the rule that drops shows in one of our own
// states only.
func TestSwingByWhatShows(t *testing.T) {
	l := &loop{now: time.Unix(0, 0)}
	outside := map[bool]string{true: "x and more", false: "x"}
	for range 30 {
		l.pass(outside[l.keeps], func(keeps bool) bool { return keeps })
	}
	if l.writes > 6 || l.keeps {
		t.Errorf("%d writes, source kept %t; want at most 6, not kept", l.writes, l.keeps)
	}
}

// TestSwingInTurn wants one input after the other, each of which turns the verdict and back, not
// taken for a swing, however quickly we follow, and also if the wish is another at once.
func TestSwingInTurn(t *testing.T) {
	var s steady.Swing
	now := time.Unix(0, 0)
	note := func(what string, r steady.Reading) {
		now = now.Add(time.Second)
		if s.Note(now, r) {
			t.Fatalf("%s: taken for a swing of ours", what)
		}
	}
	for i := range 40 {
		good := steady.Reading{Ours: "kept", Given: "bridge", Outside: "rules", Ready: true}
		bad := good
		bad.Ready = false
		if i%2 == 0 {
			bad.Given, bad.Ours = "no bridge", "masked" // the wish follows at once
			note("the bridge goes", bad)
		} else {
			bad.Outside = "rules and a drop"
			note("a rule drops", bad)
			bad.Ours = "masked"
			note("the source is masked", bad)
			good.Ours = "masked"
			note("the rule is gone", good)
			good.Ours = "kept"
		}
		note("all is well", good)
	}
}

func TestMoment(t *testing.T) {
	var m steady.Moment
	at := time.Unix(0, 0)
	for i, step := range []struct {
		after   time.Duration
		problem string
		want    bool
	}{
		{0, "", false},
		{time.Second, "not ready", true},
		{time.Second, "", false}, // over in a moment
		{time.Second, "not ready", true},
		{time.Second, "not ready", true},
		{time.Second, "not ready", false}, // it lasts
		{time.Second, "not ready", false}, // and is told as long as it does
		{time.Second, "", false},
		{time.Second, "a", true},
		{time.Second, "b", true},
		{time.Second, "c", false}, // another one each time lasts, too
	} {
		at = at.Add(step.after)
		if have := m.Holds(at, step.problem); have != step.want {
			t.Errorf("step %d, %q: held back %t, want %t", i, step.problem, have, step.want)
		}
	}
}
