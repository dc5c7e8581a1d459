package controller_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Between two full readings a host that joins costs one read of its instance, and gets its
// routes at once.
func TestJoiningReadsOnlyWhatIsNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := start(t)
		s.report(one, "10.0.0.0/24")
		s.after(31 * time.Second) // a full reading has just been made
		before := s.blind.counts()
		s.report(two, "10.1.0.0/24")
		s.want("a 10.0.0.0/24 1", "a 10.1.0.0/24 2", "b 10.0.0.0/24 1", "b 10.1.0.0/24 2")
		if now := s.blind.counts(); now.networks != before.networks || now.routes != before.routes || now.instances != before.instances+1 {
			t.Errorf("reads went from %+v to %+v, want one of instances", before, now)
		}
		s.after(time.Minute)
		if now := s.blind.counts(); now.networks < before.networks+2 || now.networks > before.networks+3 {
			t.Errorf("full readings went from %+v to %+v in a minute", before, now)
		}
	})
}

// A host that joins and that the cloud does not know yet is looked for again, and is not
// given up by reading what is new.
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

// askedTwice is a cloud that asks its permit before and after something happened.
type askedTwice struct {
	cloud.Tables
	happens func()
	answers []error
}

func (a *askedTwice) Apply(ctx context.Context, changes []api.Change, permit cloud.Permit) ([]cloud.Result, error) {
	if a.happens != nil {
		a.answers = append(a.answers, permit())
		a.happens()
		a.happens = nil
		a.answers = append(a.answers, permit())
	}
	return a.Tables.Apply(ctx, changes, permit)
}

// News, and ten seconds without a word to those who wait, end a long plan between two writes.
func TestALongPlanMakesWay(t *testing.T) {
	for what, test := range map[string]struct {
		happens func(*site)
		want    error
	}{
		"nothing":      {func(*site) {}, nil},
		"a host joins": {func(s *site) { s.reportOnly(two, "10.1.0.0/24"); synctest.Wait() }, cloud.ErrLater},
		"nine seconds": {func(*site) { time.Sleep(9 * time.Second) }, nil},
		"eleven":       {func(*site) { time.Sleep(11 * time.Second) }, cloud.ErrLater},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := start(t)
				a := &askedTwice{Tables: s.cloud, happens: func() { test.happens(s) }}
				s.blind.replace(a)
				s.report(one, "10.0.0.0/24")
				s.after(time.Minute)
				if len(a.answers) != 2 || a.answers[0] != nil || !errors.Is(a.answers[1], test.want) {
					t.Errorf("permits %v, want none and then %v", a.answers, test.want)
				}
			})
		})
	}
}
