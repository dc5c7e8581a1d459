package alicloud

import (
	"cmp"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/pace"
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

// Within the default pace a thousand hosts cost no more than 1.15 times the floor.
func TestTimeToAvailable(t *testing.T) {
	for name, opts := range paces() {
		for _, tables := range []int{1, 3} {
			for _, hosts := range []int{1, 10, 50, 51, 200, 1000} {
				t.Run(fmt.Sprintf("%s, %d hosts in %d tables", name, hosts, tables), func(t *testing.T) {
					if underRace && hosts*tables > 1000 {
						t.Skip("needs no race detector: it takes minutes to measure the same")
					}
					synctest.Test(t, func(t *testing.T) {
						r := inBubble(t, fleet(tables, hosts), opts, func(c *Config) { c.Pacer = pace.New(pace.DefaultLimits()) })
						for i := range tables { // as a pass does before
							if _, err := r.Routes(t.Context(), fleetTable(i)); err != nil {
								t.Fatal(err)
							}
						}
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

// One host that joins alone waits for no more than the call, the cloud and two reads, or the
// pauses between two looks where reads are quicker than that.
func TestOneHostJoins(t *testing.T) {
	for name, opts := range paces() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inBubble(t, fleet(3, 20), opts)
				changes := joining(3, 20)
				for host := range 20 {
					start := time.Now()
					r.done(t, changes[3*host:3*host+3]...)
					took, most := time.Since(start), opts.WriteTime+opts.TaskTime+2*max(opts.ReadTime, defaultPoll)
					if host == 0 {
						most += opts.TaskTime / 10 // how long a change takes is not known yet
					}
					if took > most {
						t.Errorf("host %d took %s, want at most %s", host, took, most)
					}
				}
			})
		})
	}
}

// BenchmarkSettle is Apply alone, over loopback by the wall clock: time to all-Available over
// the floor.
func BenchmarkSettle(b *testing.B) {
	opts := alisim.Options{ReadTime: 20 * time.Millisecond, WriteTime: 50 * time.Millisecond, TaskTime: 500 * time.Millisecond}
	for _, hosts := range []int{1, 10, 50, 51, 200, 1000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				sim, err := alisim.New(fleet(1, hosts), opts)
				if err != nil {
					b.Fatal(err)
				}
				server := httptest.NewServer(sim.API())
				c := config(server.URL)
				c.Poll, c.Settle = 0, 0
				p, err := New(c)
				if err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				results, err := p.Apply(b.Context(), joining(1, hosts), cloud.Always)
				took += time.Since(start)
				for _, r := range results {
					err = cmp.Or(err, r.Err)
				}
				if err != nil {
					b.Fatal(err)
				}
				p.Close()
				server.Close()
			}
			b.ReportMetric(float64(took)/float64(b.N)/float64(floor(opts, hosts)), "x-floor")
		})
	}
}
