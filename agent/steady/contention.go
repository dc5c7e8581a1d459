// Package steady keeps an agent from doing and undoing: it tells when another program undoes
// what we put in place again and again, when our own changes turn our reading of the host back
// and forth, and when a bad reading may be a moment's only. It is pure: the caller gives the
// time.
package steady

import (
	"reflect"
	"time"

	"github.com/sealane/sealane/agent/host"
)

// When another program undoes what we put in place, we put it back at once, but not for
// ever: two programs that each react to the other would keep the host busy and its
// connections broken.
const (
	contestRepairs = 8               // of one thing, with nothing new wished for, ...
	contestWindow  = 2 * time.Minute // ... in this time are a contest
	stillContested = 3               // so many, once the rest is over, are the same contest
	firstRest      = time.Minute     // the part is left alone, twice as long each time
	longestRest    = time.Hour       // up to this
)

// Contest is a part of the host that another program keeps undoing.
type Contest struct {
	Part   host.Part
	Last   host.Repair // what had to be repaired last
	Writer string      // who had changed nftables last by then; empty if that has no say
	rests  int         // how often the part was left alone
	until  time.Time   // and for how long now
}

// Contention keeps count of repairs that nobody wished for anew. The zero value is ready.
type Contention struct {
	wish    host.Wish
	repairs map[host.Repair][]time.Time
	known   map[host.Part]*Contest
}

// Resting are the parts to leave alone now, unless something new is wished for.
func (f *Contention) Resting(now time.Time, w host.Wish) []host.Part {
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

// Note takes down what a pass had to repair for a wish, and tells the contests that go on. One
// is over when its part was left in peace for as long as makes a fight. The wish is that of
// the registry, without what rests.
func (f *Contention) Note(now time.Time, w host.Wish, repairs []host.Repair, writer string) []Contest {
	if f.repairs == nil {
		f.repairs, f.known = map[host.Repair][]time.Time{}, map[host.Part]*Contest{}
	}
	fresh := !reflect.DeepEqual(w, f.wish)
	f.wish = w
	for _, r := range repairs {
		if !fresh {
			f.countRepair(now, r, writer)
		}
	}
	var on []Contest
	for _, p := range host.Parts() {
		switch k := f.known[p]; {
		case k == nil:
		case now.Sub(k.until) > contestWindow:
			delete(f.known, p)
		default:
			on = append(on, *k)
		}
	}
	return on
}

func (f *Contention) countRepair(now time.Time, r host.Repair, writer string) {
	var recent []time.Time
	for _, at := range f.repairs[r] {
		if now.Sub(at) < contestWindow && at != now {
			recent = append(recent, at)
		}
	}
	recent = append(recent, now)
	f.repairs[r] = recent
	k := f.known[r.Part]
	if k == nil && len(recent) < contestRepairs || len(recent) < stillContested {
		return
	}
	if k == nil {
		k = &Contest{Part: r.Part}
		f.known[r.Part] = k
	}
	k.Last, k.Writer = r, ""
	if r.Part == host.PartRules || r.Part == host.PartSource || r.Part == host.PartNative {
		k.Writer = writer
	}
	k.until = now.Add(min(firstRest<<min(k.rests, 10), longestRest))
	k.rests++
	delete(f.repairs, r)
}
