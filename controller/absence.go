package controller

import (
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
