package call

import (
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// rateWindow is the time that calls are counted in. An action that was throttled in one
// window passes again in the next.
const rateWindow = time.Minute

// window counts an action's calls since it began.
type window struct {
	begun time.Time
	calls int
}

// Rates count the calls of each action. The caller of a method holds the world.
type Rates struct {
	windows map[string]window // by action
}

// NewRates are rates that counted nothing yet.
func NewRates() *Rates { return &Rates{windows: map[string]window{}} }

// Throttle counts a call and refuses it when its action had its calls of this minute, by the
// limits that actions have.
func (r *Rates) Throttle(limits map[string]int, action string, now time.Time) error {
	rate, limited := limits[action]
	if !limited {
		return nil
	}
	w := r.windows[action]
	if now.Sub(w.begun) >= rateWindow {
		w = window{begun: now}
	}
	w.calls++
	r.windows[action] = w
	if w.calls <= rate {
		return nil
	}
	bad := world.NewRefusal("Throttling.User")
	bad.RetryAfter = w.begun.Add(rateWindow).Sub(now)
	return bad
}

// IsRead reports whether an action only looks.
func IsRead(action string) bool {
	for _, verb := range [...]string{"Describe", "Get", "List"} {
		if strings.HasPrefix(action, verb) {
			return true
		}
	}
	return false
}
