// Package controller programs the VPC route tables so that every host's subnets lead to
// that host. One of several replicas leads; the leader makes passes: read the registry and
// the cloud, decide with package plan, publish, apply. All state that matters is in the
// registry and in the tables themselves.
package controller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/controller/leader"
)

// Registry is what the controller needs of the registry; package api/registry keeps it in etcd.
type Registry interface {
	// Snapshot reads everything at one revision.
	Snapshot(ctx context.Context) (api.Snapshot, error)
	// Watch wakes when one of the areas changes; it ends with ctx.
	Watch(ctx context.Context, areas ...api.Area) <-chan struct{}
	// Publish writes what a pass decided, unless the term is over: then api.ErrDeposed.
	Publish(ctx context.Context, term api.Term, p api.Publication) error
	// CreateConfig writes the configuration if there is none and reports whether it did.
	CreateConfig(ctx context.Context, config api.Config) (bool, error)
}

// Config sets a controller up. Zero durations take the defaults of DefaultConfig.
type Config struct {
	Cluster  string
	Initial  api.Config    // written to the registry when it holds no configuration yet
	Quiet    time.Duration // a watch event waits this long for others, and again with each that comes, before a pass starts
	Resync   time.Duration // the longest time between two passes
	Progress time.Duration // a long plan is interrupted this often, to publish what is done
	Gone     time.Duration // an instance the cloud did not know before and after this time is gone
	Reserve  time.Duration // lease time that must be left before a batch is sent: several times what a call takes
}

// DefaultConfig returns the timings a production site starts with.
func DefaultConfig() Config {
	return Config{
		Cluster:  "default",
		Quiet:    25 * time.Millisecond,
		Resync:   30 * time.Second,
		Progress: 10 * time.Second,
		Gone:     60 * time.Second,
		Reserve:  2 * time.Second,
	}
}

// Controller leads, or waits to lead. Make it with New and call Run once.
type Controller struct {
	config   Config
	registry Registry
	cloud    cloud.Tables
	gates    cloud.Gates
	elector  leader.Elector
	metrics  *Metrics
	log      *slog.Logger
}

// New builds a controller. Without gates it manages nothing beside routes. metrics may be nil.
func New(config Config, reg Registry, tables cloud.Tables, gates cloud.Gates, elector leader.Elector, metrics *Metrics, log *slog.Logger) *Controller {
	return &Controller{config: config, registry: reg, cloud: tables, gates: gates, elector: elector, metrics: metrics, log: log}
}

// term is one leadership: what a leader remembers from pass to pass, and no longer.
type term struct {
	*Controller
	lease    leader.Lease
	news     func() bool // whether something came up since the pass began
	compared bool        // whether the flags were held against the registry's configuration
	absent   absences    // what the cloud did not know, and since when
	seen     view        // what was read last of the cloud
	due      time.Time   // when everything is to be read again
	locked   locked      // gates that could not be opened, and when
}

// stops reports whether an error of one change says that the others would fail as well.
func stops(err error) bool {
	return errors.Is(err, api.ErrThrottled) || errors.Is(err, api.ErrDenied) || errors.Is(err, api.ErrDeposed)
}
