package alicloud

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/credential"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/cloudtest"
	"github.com/sealane/sealane/cloud/pace"
)

// sleepy is a source of credentials that takes its time.
type sleepy struct {
	call.Source
	quick       int // so many times it does not
	once, again time.Duration
}

func (s *sleepy) Credential(ctx context.Context) (credential.Credential, error) {
	if s.quick--; s.quick < 0 {
		time.Sleep(s.once)
	}
	return s.Source.Credential(ctx)
}

func (s *sleepy) Renew(ctx context.Context, _ credential.Credential) (credential.Credential, bool) {
	time.Sleep(s.again)
	cred, err := s.Source.Credential(ctx)
	return cred, err == nil
}

// A permit that ends while a write waits keeps it from being sent, whatever it waits for.
func TestPermitIsAskedLast(t *testing.T) {
	const wait = 4 * time.Second
	for what, hinder := range map[string]func(r rig, p *pace.Pacer, action string, reads int){
		"turn": func(_ rig, p *pace.Pacer, action string, _ int) { p.Answered(action, 0, api.ErrThrottled, wait) },
		"credential": func(r rig, _ *pace.Pacer, _ string, reads int) {
			r.client.Source = &sleepy{r.client.Source, reads, wait, 0}
		},
		"another credential": func(r rig, _ *pace.Pacer, action string, _ int) {
			r.client.Source = &sleepy{r.client.Source, 0, 0, wait}
			r.sim.Fault(alisim.Fault{Action: action, Code: "InvalidSecurityToken.Expired"})
		},
	} {
		for name, gate := range map[string]struct {
			action string
			reads  int // before it
			change func(context.Context, rig, cloud.Permit) error
		}{
			"create": {batchCreate, 0, func(ctx context.Context, r rig, permit cloud.Permit) error {
				results, err := r.Apply(ctx, creates(0, 1), permit)
				return errors.Join(err, results[0].Err)
			}},
			"check": {gates["check"].action, 1, gates["check"].change},
			"admit": {gates["admit"].action, 1, gates["admit"].change},
		} {
			t.Run(name+" waits for "+what, func(t *testing.T) {
				p := pace.New(pace.DefaultLimits())
				bubble(t, func(t *testing.T, r rig) {
					hand{r.sim}.SetGroup(cloudtest.Group{ID: empty})
					hinder(r, p, gate.action, gate.reads)
					end := time.Now().Add(wait / 2)
					permit := func() error {
						if time.Now().After(end) {
							return api.ErrDeposed
						}
						return nil
					}
					if err := gate.change(t.Context(), r, permit); !errors.Is(err, api.ErrDeposed) || errors.Is(err, api.ErrUnknown) {
						t.Errorf("got %v", err)
					}
					for _, q := range r.sim.Requests() {
						if q.Action == gate.action && q.At.After(end) {
							t.Errorf("sent %s after the permit's end", q.At.Sub(end))
						}
					}
				}, func(c *Config) { c.Pacer = p })
			})
		}
	}
}

// Reads that wait for their turn do not keep those of other actions from being made.
func TestWaitingTakesNoLane(t *testing.T) {
	p := pace.New(pace.DefaultLimits())
	bubble(t, func(t *testing.T, r rig) {
		p.Answered(list, 0, api.ErrThrottled, 4*time.Second)
		done := make(chan error)
		for range call.Lanes {
			go func() { _, err := r.Routes(t.Context(), route(0, 0, 0).Table); done <- err }()
		}
		synctest.Wait()
		start := time.Now()
		if _, err := r.Network(t.Context()); err != nil || time.Since(start) > time.Second {
			t.Errorf("took %s, %v", time.Since(start), err)
		}
		for range call.Lanes {
			must(<-done)
		}
	}, func(c *Config) { c.Pacer = p })
}
