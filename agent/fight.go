package agent

import (
	"reflect"
	"time"

	"github.com/sealane/sealane/agent/host"
)

// When another program undoes what we put in place, we put it back at once, but not for
// ever: two programs that each react to the other would keep the host busy and its
// connections broken.
const (
	fightRepairs = 8               // of one thing, with nothing new wished for, ...
	fightWindow  = 2 * time.Minute // ... in this time are a fight
	firstRest    = time.Minute     // then the part is left alone, twice as long each time
	longestRest  = time.Hour       // up to this; after as long without a repair it is forgotten
)

// fight is a part of the host that another program keeps undoing.
type fight struct {
	part   host.Part
	last   host.Repair // what had to be repaired last
	resets int         // how often the part was left alone
	until  time.Time   // and for how long now
}

// fights keeps count of repairs that nobody wished for anew.
type fights struct {
	wish    host.Wish
	repairs map[host.Repair][]time.Time
	known   map[host.Part]*fight
}

// resting are the parts to leave alone now, unless something new is wished for.
func (f *fights) resting(now time.Time, w host.Wish) []host.Part {
	var parts []host.Part
	if !reflect.DeepEqual(w, f.wish) {
		return nil
	}
	for _, p := range host.Parts() {
		if k := f.known[p]; k != nil && now.Before(k.until) {
			parts = append(parts, p)
		}
	}
	return parts
}

// note takes down what a pass had to repair for a wish, and tells the fights that go on.
// The wish is that of the registry, without what rests.
func (f *fights) note(now time.Time, w host.Wish, repairs []host.Repair) []fight {
	if f.repairs == nil {
		f.repairs, f.known = map[host.Repair][]time.Time{}, map[host.Part]*fight{}
	}
	news := !reflect.DeepEqual(w, f.wish)
	f.wish = w
	for _, r := range repairs {
		if !news {
			f.count(now, r)
		}
	}
	var on []fight
	for _, p := range host.Parts() {
		k := f.known[p]
		switch {
		case k == nil:
		case now.Sub(k.until) > longestRest:
			delete(f.known, p)
		default:
			on = append(on, *k)
		}
	}
	return on
}

func (f *fights) count(now time.Time, r host.Repair) {
	var recent []time.Time
	for _, at := range f.repairs[r] {
		if now.Sub(at) < fightWindow && at != now {
			recent = append(recent, at)
		}
	}
	f.repairs[r] = append(recent, now)
	k := f.known[r.Part]
	if k == nil && len(f.repairs[r]) < fightRepairs {
		return
	}
	if k == nil {
		k = &fight{part: r.Part}
		f.known[r.Part] = k
	}
	k.last = r
	if now.After(k.until) {
		k.until = now.Add(min(firstRest<<min(k.resets, 10), longestRest))
		k.resets++
	}
}
