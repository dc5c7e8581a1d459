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
	stillFights  = 3               // so many, once the rest is over, are the same fight
	firstRest    = time.Minute     // the part is left alone, twice as long each time
	longestRest  = time.Hour       // up to this
)

// fight is a part of the host that another program keeps undoing.
type fight struct {
	part   host.Part
	last   host.Repair // what had to be repaired last
	writer string      // who had changed nftables last by then; empty if that has no say
	rests  int         // how often the part was left alone
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
	if !reflect.DeepEqual(w, f.wish) {
		return nil
	}
	var parts []host.Part
	for _, p := range host.Parts() {
		if k := f.known[p]; k != nil && now.Before(k.until) {
			parts = append(parts, p)
		}
	}
	return parts
}

// note takes down what a pass had to repair for a wish, and tells the fights that go on. One
// is over when its part was left in peace for as long as makes a fight. The wish is that of
// the registry, without what rests.
func (f *fights) note(now time.Time, w host.Wish, repairs []host.Repair, writer string) []fight {
	if f.repairs == nil {
		f.repairs, f.known = map[host.Repair][]time.Time{}, map[host.Part]*fight{}
	}
	news := !reflect.DeepEqual(w, f.wish)
	f.wish = w
	for _, r := range repairs {
		if !news {
			f.count(now, r, writer)
		}
	}
	var on []fight
	for _, p := range host.Parts() {
		switch k := f.known[p]; {
		case k == nil:
		case now.Sub(k.until) > fightWindow:
			delete(f.known, p)
		default:
			on = append(on, *k)
		}
	}
	return on
}

func (f *fights) count(now time.Time, r host.Repair, writer string) {
	var recent []time.Time
	for _, at := range f.repairs[r] {
		if now.Sub(at) < fightWindow && at != now {
			recent = append(recent, at)
		}
	}
	recent = append(recent, now)
	f.repairs[r] = recent
	k := f.known[r.Part]
	if k == nil && len(recent) < fightRepairs || len(recent) < stillFights {
		return
	}
	if k == nil {
		k = &fight{part: r.Part}
		f.known[r.Part] = k
	}
	k.last, k.writer = r, ""
	if r.Part == host.PartRules || r.Part == host.PartSource || r.Part == host.PartNative {
		k.writer = writer
	}
	k.until = now.Add(min(firstRest<<min(k.rests, 10), longestRest))
	k.rests++
	delete(f.repairs, r)
}
