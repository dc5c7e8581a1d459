package alicloud

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

// One slow change does not make those after it wait as long.
func TestSlowBeginning(t *testing.T) {
	opts := alisim.Options{TaskTime: time.Second, ReadTime: 50 * time.Millisecond}
	for name, slow := range map[string]func(t *testing.T, r rig){
		"the task takes 9s": func(_ *testing.T, r rig) { must(r.sim.SetTaskTime(string(config("").VPC), 9*time.Second)) },
		"nothing is seen for 9s": func(_ *testing.T, r rig) {
			r.sim.Fault(alisim.Fault{Name: "blind", Action: list, Code: "ServiceUnavailable", Times: -1})
			time.AfterFunc(9*time.Second, func() { r.sim.RemoveFault("blind") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inBubble(t, fleet(1, 12), opts)
				slow(t, r)
				for n, c := range joining(1, 12) {
					start := time.Now()
					r.done(t, c)
					if took := time.Since(start); n >= 2 && took > 1300*time.Millisecond {
						t.Errorf("join %d took %s, want about 1s", n+1, took)
					}
					must(r.sim.SetTaskTime(string(config("").VPC), time.Second))
				}
			})
		})
	}
}

// What a gateway finds too long today it may take tomorrow.
func TestBatchesGrowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLearned()
		for want := 25; l.batch(api.Create) > 2; want = max(2, want/2) {
			l.tooLong(api.Create, l.batch(api.Create))
			if got := l.batch(api.Create); got != want {
				t.Fatalf("%d a call, want %d", got, want)
			}
		}
		if l.tooLong(api.Create, 2); l.batch(api.Create) != 1 {
			t.Errorf("%d a call, want 1: two were too many", l.batch(api.Create))
		}
		time.Sleep(forgiven + time.Second)
		if got := l.batch(api.Create); got != 2 {
			t.Errorf("%d a call after %s, want 2", got, forgiven)
		}
		time.Sleep(5 * forgiven)
		if got := l.batch(api.Create); got != 50 {
			t.Errorf("%d a call after an hour, want 50", got)
		}
	})
}
