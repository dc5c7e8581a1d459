package alicloud

import (
	"testing"
	"testing/synctest"
	"time"

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
