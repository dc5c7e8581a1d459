package alicloud

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
)

// paces are clouds of different speed.
func paces() map[string]alisim.Options {
	const ms = time.Millisecond
	return map[string]alisim.Options{
		"quick":     {ReadTime: 10 * ms, WriteTime: 20 * ms, TaskTime: 200 * ms},
		"as logged": {ReadTime: 150 * ms, WriteTime: 300 * ms, TaskTime: 2000 * ms},
		"slow":      {ReadTime: 300 * ms, WriteTime: 500 * ms, TaskTime: 8000 * ms},
		"slow list": {ReadTime: 200 * ms, WriteTime: 100 * ms, TaskTime: 500 * ms},
	}
}

// floor is the least time in which n entries can be made and seen.
func floor(o alisim.Options, n int) time.Duration {
	return o.ReadTime + time.Duration(calls(n, cloud.BatchLimit))*(o.WriteTime+o.TaskTime)
}

func TestTimeToAvailable(t *testing.T) {
	for name, opts := range paces() {
		for _, tables := range []int{1, 3} {
			for _, hosts := range []int{1, 10, 50, 51, 200, 1000} {
				t.Run(fmt.Sprintf("%s, %d hosts in %d tables", name, hosts, tables), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := inBubble(t, fleet(tables, hosts), opts)
						start := time.Now()
						r.done(t, joining(tables, hosts)...)
						took, least := time.Since(start), floor(opts, hosts*tables)
						ratio := float64(took) / float64(least)
						t.Logf("%s, floor %s, ratio %.3f, %d writes, %d reads", took, least, ratio, r.calls(batchCreate), r.calls(list))
						if ratio > 1.15 {
							t.Errorf("took %s, %.3f times the floor of %s", took, ratio, least)
						}
					})
				})
			}
		}
	}
}
