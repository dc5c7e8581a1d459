package pace

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/api"
)

// tally counts what was asked.
type tally struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	held    *prometheus.CounterVec
	budget  *prometheus.Desc
	left    *prometheus.Desc
	closed  *prometheus.Desc
}

func newTally() tally {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"action"}, nil)
	}
	return tally{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sealane_cloud_calls_total", Help: "Calls to the cloud, by action and outcome.",
		}, []string{"action", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sealane_cloud_call_seconds", Help: "How long calls to the cloud took.",
			Buckets: []float64{0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10},
		}, []string{"action"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sealane_cloud_calls_held_total", Help: "Calls that were not made since their turn was too far away.",
		}, []string{"action"}),
		budget: desc("sealane_cloud_calls_budget", "Calls per minute that may be made in the long run."),
		left:   desc("sealane_cloud_calls_left", "Calls that may be made at once now."),
		closed: desc("sealane_cloud_throttled_seconds", "How long no call is made since the cloud throttled one; 0 when it did not."),
	}
}

func (t tally) noteCall(action string, took time.Duration, err error) {
	t.calls.WithLabelValues(action, outcomeLabel(err)).Inc()
	t.seconds.WithLabelValues(action).Observe(took.Seconds())
}

// outcomeLabel is the kind of an error, or "ok".
func outcomeLabel(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "given up"
	}
	for _, kind := range api.Kinds() {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "error"
}

// Describe implements prometheus.Collector.
func (p *Pacer) Describe(out chan<- *prometheus.Desc) {
	p.tally.calls.Describe(out)
	p.tally.seconds.Describe(out)
	p.tally.held.Describe(out)
	for _, d := range []*prometheus.Desc{p.tally.budget, p.tally.left, p.tally.closed} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p *Pacer) Collect(out chan<- prometheus.Metric) {
	p.tally.calls.Collect(out)
	p.tally.seconds.Collect(out)
	p.tally.held.Collect(out)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, a := range p.actions {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
		}
		gauge(p.tally.budget, float64(a.limit.PerMinute))
		gauge(p.tally.left, max(0, a.bucket.TokensAt(now)))
		gauge(p.tally.closed, max(0, a.closed.Sub(now).Seconds()))
	}
}
