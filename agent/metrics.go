package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Metrics are the agent's numbers. A nil *Metrics counts nothing.
type Metrics struct {
	repairs  *prometheus.CounterVec
	findings *prometheus.GaugeVec
	registry prometheus.Gauge
}

// NewMetrics registers the agent's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		repairs:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sealane_agent_repairs_total", Help: "Changes made to the host, by kind."}, []string{"kind"}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sealane_agent_findings", Help: "Findings on the host now, by code and severity."}, []string{"code", "severity"}),
		registry: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sealane_agent_registry_reachable", Help: "1 while the registry answers."}),
	}
	r.MustRegister(m.repairs, m.findings, m.registry)
	return m
}

func (m *Metrics) repaired(k host.Kind) {
	if m != nil {
		m.repairs.WithLabelValues(string(k)).Inc()
	}
}

func (m *Metrics) found(findings []api.Finding) {
	if m == nil {
		return
	}
	m.findings.Reset()
	for _, f := range findings {
		m.findings.WithLabelValues(string(f.Code), string(f.Severity)).Inc()
	}
}

func (m *Metrics) reachable(yes bool) {
	if m == nil {
		return
	}
	m.registry.Set(0)
	if yes {
		m.registry.Set(1)
	}
}
