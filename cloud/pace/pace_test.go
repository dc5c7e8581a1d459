package pace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/api"
)

func limits() Limits {
	return Limits{
		Actions: map[string]Limit{"Read": {PerMinute: 60, Burst: 5}},
		Others:  Limit{PerMinute: 120, Burst: 1},
		Pause:   time.Second, MaxPause: 4 * time.Second, MaxWait: 5 * time.Second,
	}
}

// waited is how long a call had to wait for its turn.
func waited(t *testing.T, p *Pacer, action string) time.Duration {
	t.Helper()
	start := time.Now()
	if err := p.Wait(t.Context(), action); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

func TestEachActionHasItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(limits())
		for i := range 5 {
			if d := waited(t, p, "Read"); d != 0 {
				t.Errorf("call %d of the burst waited %s", i, d)
			}
		}
		if d := waited(t, p, "Read"); d != time.Second {
			t.Errorf("after the burst a call waited %s, want 1s", d)
		}
		if d := waited(t, p, "Write"); d != 0 {
			t.Errorf("another action waited %s for it", d)
		}
		if d := waited(t, p, "Write"); d != 500*time.Millisecond {
			t.Errorf("an action that is not named waited %s, want 500ms", d)
		}
	})
}

func TestThrottledActionPauses(t *testing.T) {
	const told = 1500 * time.Millisecond
	for name, test := range map[string]struct {
		answers []time.Duration // what the cloud asks for, with each throttled call
		pause   time.Duration
	}{
		"once":           {[]time.Duration{0}, time.Second},
		"twice":          {[]time.Duration{0, 0}, 2 * time.Second},
		"for long":       {[]time.Duration{0, 0, 0, 0, 0, 0}, 4 * time.Second},
		"told":           {[]time.Duration{told}, told},
		"told too much":  {[]time.Duration{time.Hour}, 4 * time.Second},
		"told by little": {[]time.Duration{0, 0, 0, 20 * time.Millisecond}, 4 * time.Second}, // the longer one holds
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := New(limits())
				for _, wait := range test.answers {
					p.Answered("Read", 0, fmt.Errorf("read: %w", api.ErrThrottled), wait)
				}
				if d := waited(t, p, "Other"); d != 0 {
					t.Errorf("another action waited %s", d)
				}
				if d := waited(t, p, "Read"); d < test.pause || d > test.pause+test.pause/4 {
					t.Errorf("waited %s, want %s and up to a quarter more", d, test.pause)
				}
				p.Answered("Read", 0, nil, 0)
				p.Answered("Read", 0, api.ErrThrottled, 0)
				if d := waited(t, p, "Read"); d > time.Second+time.Second/4 {
					t.Errorf("after a success it waited %s, want about 1s again", d)
				}
			})
		})
	}
}

// Calls that were under way together are throttled together: that is one occasion.
func TestBurstIsThrottledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(limits())
		<-time.After(time.Second)
		for range 9 {
			p.Answered("Read", 100*time.Millisecond, api.ErrThrottled, 0)
		}
		p.Answered("Read", 100*time.Millisecond, nil, 0) // the one that passed before them
		if d := waited(t, p, "Read"); d < time.Second || d > time.Second+time.Second/4 {
			t.Errorf("waited %s, want about 1s", d)
		}
		p.Answered("Read", 0, api.ErrThrottled, 0)
		if d := waited(t, p, "Read"); d < 2*time.Second {
			t.Errorf("waited %s, want 2s: it was throttled again", d)
		}
	})
}

func TestNoPauseIsLonger(t *testing.T) {
	for range 20 { // there is chance in it
		synctest.Test(t, func(t *testing.T) {
			p := New(limits())
			p.Answered("Read", 0, api.ErrThrottled, 3900*time.Millisecond)
			if d := waited(t, p, "Read"); d > 4*time.Second {
				t.Errorf("waited %s, want 4s at most", d)
			}
		})
	}
}

// Whoever waits already heeds what the cloud says meanwhile.
func TestClosedWhileWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		again time.Duration // what the cloud asks for after 500 ms
		want  error
	}{
		"a little":   {2 * time.Second, nil},
		"for longer": {time.Minute, api.ErrThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limits()
				l.MaxPause = time.Minute
				p := New(l)
				p.Answered("Read", 0, api.ErrThrottled, time.Second)
				start := time.Now()
				go func() {
					<-time.After(500 * time.Millisecond)
					p.Answered("Read", 0, api.ErrThrottled, test.again)
				}()
				err := p.Wait(t.Context(), "Read")
				if took := time.Since(start); !errors.Is(err, test.want) || err == nil && took < 2500*time.Millisecond {
					t.Errorf("got %v after %s", err, took)
				}
			})
		})
	}
}

func TestTooFarAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits()
		l.MaxPause = time.Minute
		p := New(l)
		p.Answered("Read", 0, api.ErrThrottled, 30*time.Second)
		start := time.Now()
		if err := p.Wait(t.Context(), "Read"); !errors.Is(err, api.ErrThrottled) || time.Since(start) != 0 {
			t.Errorf("got %v after %s, want ErrThrottled at once", err, time.Since(start))
		}
		<-time.After(40 * time.Second)
		for range 5 {
			if d := waited(t, p, "Read"); d != 0 {
				t.Errorf("what was refused took a token: waited %s", d)
			}
		}
	})
}

func TestContextEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(limits())
		p.Answered("Read", 0, api.ErrThrottled, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.Wait(ctx, "Read"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(limits())
		if err := p.Wait(t.Context(), "Read"); err != nil {
			t.Fatal(err)
		}
		p.Answered("Read", 300*time.Millisecond, nil, 0)
		p.Answered("Read", time.Second, fmt.Errorf("read: %w", api.ErrThrottled), 2*time.Second)
		p.Answered("Read", time.Second, context.Canceled, 0)
		got := gathered(t, p)
		for _, line := range []string{
			`sealane_cloud_calls_total{action="Read",outcome="ok"} 1`,
			`sealane_cloud_calls_total{action="Read",outcome="throttled"} 1`,
			`sealane_cloud_calls_total{action="Read",outcome="given up"} 1`,
			`sealane_cloud_call_seconds_count{action="Read"} 3`,
			`sealane_cloud_calls_budget{action="Read"} 60`,
			`sealane_cloud_calls_left{action="Read"} 4`,
		} {
			if !strings.Contains(got, line+"\n") {
				t.Errorf("no %s in\n%s", line, got)
			}
		}
	})
}

// gathered is what a scrape shows of counters and gauges, one a line.
func gathered(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name, value := f.GetName(), m.GetCounter().GetValue()+m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				name, value = name+"_count", float64(h.GetSampleCount())
			}
			fmt.Fprintf(&b, "%s{%s} %v\n", name, strings.Join(labels, ","), value)
		}
	}
	return b.String()
}
