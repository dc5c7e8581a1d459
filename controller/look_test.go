package controller_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane/api"
)

// Between two full looks a host that joins costs one read of its instance, and gets its
// routes at once.
func TestJoiningReadsOnlyWhatIsNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.after(31 * time.Second) // a full look has just been made
		before := s.blind.counts()
		s.report(two, "10.1.0.0/24")
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 2", "b 10.0.0.0/24 1", "b 10.1.0.0/24 2")
		if now := s.blind.counts(); now.networks != before.networks || now.routes != before.routes || now.instances != before.instances+1 {
			t.Errorf("reads went from %+v to %+v, want one of instances", before, now)
		}
		s.after(time.Minute)
		if now := s.blind.counts(); now.networks < before.networks+2 || now.networks > before.networks+3 {
			t.Errorf("full looks went from %+v to %+v in a minute", before, now)
		}
	})
}

// A host that joins and that the cloud does not know yet is looked for again, and is not
// given up by a glance.
func TestUnknownNewcomerIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.after(31 * time.Second)
		s.report("i-unknown", "10.1.0.0/24")
		if h := s.host("i-unknown"); h.Life != api.LifeMissing {
			t.Errorf("life %s, want %s", h.Life, api.LifeMissing)
		}
		instance := s.world.Instances[1]
		instance.ID, instance.Interface.ID, instance.Others = "i-unknown", "eni-unknown", nil
		s.cloud.AddInstance(instance)
		s.after(31 * time.Second)
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 n", "b 10.0.0.0/24 1", "b 10.1.0.0/24 n")
	})
}
