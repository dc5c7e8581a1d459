package steady

import "time"

const (
	swingTurns  = 6                // turns of the verdict in a row, which are three rounds, ...
	swingWindow = 10 * time.Minute // ... in this time, are a swing
	firstCare   = time.Minute      // the careful reading holds so long at least, twice as long each time
	longestCare = time.Hour        // up to this
)

// Swing notices a verdict about the host that our own changes turn: what we change because the
// host is ready makes it unready, and undoing that makes it ready again. After three rounds the
// careful reading holds, which is that the host is not ready, until something else than our own
// changes is another. The zero value is ready.
//
// A turn counts only if we changed something in the pass that saw it or in the one before: a
// verdict that turns while we leave the host alone was turned by somebody else.
type Swing struct {
	begun bool
	ours  string
	ready bool
	since int // passes since ours changed
	turns []time.Time

	careful bool
	outside string // as it was when the careful reading had settled; empty before
	until   time.Time
	times   int
}

// Note takes down a pass: what we made of the host (ours) and what else it is like (outside,
// asked only when it matters), in any words that are the same for the same state, and whether it
// was found ready. It reports whether the careful reading holds.
func (s *Swing) Note(now time.Time, ours string, outside func() string, ready bool) (careful bool) {
	changed := s.begun && ours != s.ours
	turned := s.begun && ready != s.ready
	s.since++
	if changed || !s.begun {
		s.since = 0
	}
	s.begun, s.ours, s.ready = true, ours, ready
	if s.careful {
		return s.staysCareful(now, outside, changed)
	}
	if !turned {
		return false
	}
	if s.since > 1 {
		s.turns = nil
		return false
	}
	for len(s.turns) > 0 && now.Sub(s.turns[0]) > swingWindow {
		s.turns = s.turns[1:]
	}
	s.turns = append(s.turns, now)
	if len(s.turns) < swingTurns {
		return false
	}
	s.careful, s.outside, s.turns = true, "", nil
	s.until = now.Add(min(firstCare<<min(s.times, 10), longestCare))
	if s.times == 0 {
		s.until = now // what changes right after the first time is looked at without delay
	}
	s.times++
	return true
}

// staysCareful reports whether the careful reading goes on. What it is like outside counts once
// our own changes have come to rest.
func (s *Swing) staysCareful(now time.Time, outside func() string, changed bool) bool {
	switch {
	case s.outside == "" && !changed && s.since > 1:
		s.outside = outside()
	case s.outside != "" && !now.Before(s.until) && outside() != s.outside:
		s.careful = false
	}
	return s.careful
}
