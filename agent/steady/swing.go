package steady

import "time"

const (
	swingTurns  = 6                // turns of the verdict in a row, which are three rounds, ...
	swingWindow = 10 * time.Minute // ... in this time, are a swing; so long apart, two are no relapse
	firstCare   = time.Minute      // after a relapse the careful reading holds so long at least, twice as long each time
	longestCare = time.Hour        // up to this
)

// Reading is what a pass made of a host and found there, in any words that are the same for the
// same state.
type Reading struct {
	Ours    string // what of our own state can turn the verdict
	Given   string // what the host is like whatever we do: addresses, networks, other hosts
	Outside string // the rules and routes of others, as we have them; which of them show may depend on Ours
	Ready   bool   // the verdict
}

// Swing notices a verdict about the host that our own changes turn: what we change because the
// host is ready makes it unready, and undoing that makes it ready again. After three rounds the
// careful reading holds, which is that the host is not ready, until something else than our own
// changes is another. The zero value is ready.
//
// A turn counts only if it comes with a change of ours or in the pass after it, and only as long
// as each state of ours is met as it was left: what somebody else changes turns the verdict, too.
type Swing struct {
	last  *Reading // of the pass before; nil before the first
	since int      // passes since ours changed
	left  map[string]Reading
	turns []time.Time

	careful bool
	until   time.Time // so long at least
	relapse int       // swings before this one, each soon after the one before
	settled time.Time // when the careful reading last began
}

// Note takes down a pass and reports whether the careful reading holds.
func (s *Swing) Note(now time.Time, r Reading) (careful bool) {
	was := s.last
	s.last = &r
	if was == nil {
		return false
	}
	s.since++
	changed := r.Ours != was.Ours
	if changed {
		s.since = 0
	}
	if s.careful {
		s.careful = now.Before(s.until) || !s.differs(r)
		if !s.careful {
			s.forget()
		}
		return s.careful
	}
	turned := r.Ready != was.Ready
	switch {
	case r.Given != was.Given, !changed && r.Outside != was.Outside, turned && s.since > 1:
		s.forget()
		return false
	case changed:
		if before, known := s.left[was.Ours]; len(s.turns) == 0 || known && before != *was {
			s.forget()
		}
		s.leave(*was)
	}
	if turned {
		s.countTurn(now)
	}
	return s.careful
}

func (s *Swing) countTurn(now time.Time) {
	for len(s.turns) > 0 && now.Sub(s.turns[0]) > swingWindow {
		s.turns = s.turns[1:]
	}
	if s.turns = append(s.turns, now); len(s.turns) < swingTurns {
		return
	}
	if s.settled.IsZero() || now.Sub(s.until) > swingWindow {
		s.relapse, s.until = 0, now
	} else {
		s.until = now.Add(min(firstCare<<min(s.relapse, 10), longestCare))
		s.relapse++
	}
	s.careful, s.settled = true, now
	s.leave(*s.last)
}

// differs reports whether what we do not make ourselves is other than when this state of ours was
// last left. A state that was not met yet is taken as it is.
func (s *Swing) differs(r Reading) bool {
	before, known := s.left[r.Ours]
	if !known {
		s.leave(r)
		return false
	}
	return before.Given != r.Given || before.Outside != r.Outside
}

func (s *Swing) leave(r Reading) {
	if s.left == nil {
		s.left = map[string]Reading{}
	}
	s.left[r.Ours] = r
}

func (s *Swing) forget() { s.left, s.turns = nil, nil }
