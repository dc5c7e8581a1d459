package steady

import "time"

// longestMoment is how long a bad reading may last without being told. Docker writes its rules
// anew in 0.3 to 1.4 s when it restarts (measured with 28 and 29).
const longestMoment = 1500 * time.Millisecond

// Moment tells a bad reading that lasts from one that is over in a moment, such as Docker
// starting just now or an address being renewed. The zero value is ready.
type Moment struct {
	since time.Time // when what is not told yet began; zero if all is told
	told  string
}

// Holds reports whether what a pass found is to be read again in a while before it is told.
// problem is what is wrong, in words; empty if nothing is. What was told before is told again.
func (m *Moment) Holds(now time.Time, problem string) bool {
	if problem == "" || problem == m.told {
		m.since, m.told = time.Time{}, problem
		return false
	}
	if m.since.IsZero() {
		m.since = now
	}
	if now.Sub(m.since) < longestMoment {
		return true
	}
	m.since, m.told = time.Time{}, problem
	return false
}
