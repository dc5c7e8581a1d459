package controller

import (
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// absences remembers since when the cloud has not known an instance.
type absences map[api.InstanceID]time.Time

// goneBefore takes over from the last leader what it had found gone, so that a change of
// leadership does not doubt it anew. The cloud is asked once more all the same.
func goneBefore(last *api.Pass) absences {
	a := absences{}
	if last == nil {
		return a
	}
	for _, h := range last.Hosts {
		if h.Life == api.LifeGone {
			a[h.Instance] = time.Unix(0, 0)
		}
	}
	return a
}

// livesOf gives the life of each instance whose life is not simply running. An instance is gone
// only when two reads, the settle time apart, did not name it while both named another one:
// an answer that knows none of our instances proves nothing.
func (a absences) livesOf(asked []api.InstanceID, known map[api.InstanceID]cloud.Instance, now time.Time, settle time.Duration) map[api.InstanceID]api.Life {
	lives := map[api.InstanceID]api.Life{}
	for _, id := range asked {
		instance, ok := known[id]
		switch {
		case ok:
			delete(a, id)
			if instance.Status == cloud.Stopped {
				lives[id] = api.LifeStopped
			}
		case len(known) == 0:
			lives[id] = api.LifeMissing
		case a[id].IsZero():
			a[id] = now
			lives[id] = api.LifeMissing
		case now.Sub(a[id]) < settle:
			lives[id] = api.LifeMissing
		default:
			lives[id] = api.LifeGone
		}
	}
	return lives
}

// hostsWith adds the cloud's word to the registry's: what it knows of an instance outranks a
// lease. But a host that left has left, and one whose agent is heard is not gone, whatever
// the cloud says: then the cloud answers in part, or the host names another instance.
// Instances without a record come along when the cloud says that they are gone, as evidence
// against the routes that still point at them.
func hostsWith(hosts []api.Host, lives map[api.InstanceID]api.Life) []api.Host {
	out := slices.Clone(hosts)
	seen := map[api.InstanceID]bool{}
	for i, h := range out {
		seen[h.Instance] = true
		life, ok := lives[h.Instance]
		switch {
		case !ok || h.Life == api.LifeLeft:
		case life == api.LifeGone && h.Life == api.LifeAlive:
			out[i].Life = api.LifeMissing
		default:
			out[i].Life = life
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lives)) {
		if lives[id] == api.LifeGone && !seen[id] {
			out = append(out, api.Host{Report: api.Report{Instance: id}, Life: api.LifeGone})
		}
	}
	return out
}

// withoutGone takes hosts that were gone when the cloud was read last for missing: nothing new
// is written for them, and nothing is taken from them on old evidence.
func withoutGone(lives map[api.InstanceID]api.Life) map[api.InstanceID]api.Life {
	lives = maps.Clone(lives)
	for id, life := range lives {
		if life == api.LifeGone {
			lives[id] = api.LifeMissing
		}
	}
	return lives
}

// lastLives are those of the last pass.
func lastLives(last *api.Pass) map[api.InstanceID]api.Life {
	lives := map[api.InstanceID]api.Life{}
	if last != nil {
		for _, l := range last.Hosts {
			lives[l.Instance] = l.Life
		}
	}
	return lives
}

func hostLives(lives map[api.InstanceID]api.Life) []api.HostLife {
	out := make([]api.HostLife, 0, len(lives))
	for _, id := range slices.Sorted(maps.Keys(lives)) {
		out = append(out, api.HostLife{Instance: id, Life: lives[id]})
	}
	return out
}
