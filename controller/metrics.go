package controller

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// Metrics are the controller's numbers. A nil *Metrics counts nothing.
type Metrics struct {
	leads   prometheus.Gauge
	passes  *prometheus.CounterVec
	changes *prometheus.CounterVec
	held    *prometheus.GaugeVec
	refused prometheus.Gauge
}

// NewMetrics registers the controller's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		leads:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sealane_controller_leads", Help: "1 while this replica leads."}),
		passes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sealane_controller_passes_total", Help: "Passes, by outcome."}, []string{"outcome"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sealane_controller_changes_total", Help: "Route changes sent, by verb, reason and outcome."}, []string{"verb", "reason", "outcome"}),
		held:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sealane_controller_held", Help: "Changes held in the last pass, by reason."}, []string{"reason"}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sealane_controller_refused", Help: "Claims refused in the last pass."}),
	}
	r.MustRegister(m.leads, m.passes, m.changes, m.held, m.refused)
	return m
}

func outcomeLabel(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func (m *Metrics) leading(yes bool) {
	if m == nil {
		return
	}
	if yes {
		m.leads.Set(1)
		return
	}
	m.leads.Set(0)
	m.held.Reset()
	m.refused.Set(0)
}

func (m *Metrics) passEnded(err error) {
	if m != nil {
		m.passes.WithLabelValues(outcomeLabel(err)).Inc()
	}
}

func (m *Metrics) changeSent(r cloud.Result) {
	if m != nil {
		m.changes.WithLabelValues(string(r.Change.Verb), string(r.Change.Reason), outcomeLabel(r.Err)).Inc()
	}
}

func (m *Metrics) decided(p api.Plan) {
	if m == nil {
		return
	}
	m.held.Reset()
	for _, h := range p.Held {
		m.held.WithLabelValues(string(h.Reason)).Inc()
	}
	m.refused.Set(float64(len(p.Conflicts)))
}
