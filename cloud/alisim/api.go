package alisim

import (
	"context"
	"net/http"
	"time"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/control"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
)

// API serves the OpenAPI, at any path: product and action come from the parameters.
func (s *Sim) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := call.NewRequestID()
		opts := s.Options()
		c, err := call.ReadCall(w, r)
		var a call.Answer
		switch {
		case len(r.RequestURI) > opts.LongestURI:
			a = call.Answer{Status: http.StatusRequestURITooLong, HTML: true}
		case err != nil:
			a = call.RefusedWith(c, err)
		default:
			a = s.answerCall(r, c, id, opts)
		}
		s.recordCall(c, id, a)
		s.wire.Write(w, c, id, a)
	})
}

// answerCall authenticates, lets a fault strike, and does the work. What was admitted is done:
// of a caller who hangs up meanwhile the cloud drops the answer, not the work.
func (s *Sim) answerCall(r *http.Request, c *call.Call, id string, opts control.Options) call.Answer {
	if err := s.admitCall(c, opts); err != nil {
		return call.RefusedWith(c, err)
	}
	took := c.Fault.Delay + opts.WriteTime
	if call.IsRead(c.Action) {
		took = c.Fault.Delay + opts.ReadTime
	}
	ends := time.Now().Add(took)
	if err := waitUnless(r.Context(), took); err != nil {
		time.AfterFunc(time.Until(ends), func() {
			s.performCall(c)
			s.recordCall(c, id, call.Answer{Drop: true})
		})
		panic(http.ErrAbortHandler) // nobody is left to be answered
	}
	return s.performCall(c)
}

// waitUnless waits, or returns why it did not: the caller hung up.
func waitUnless(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// admitCall says whether a call may come in, and finds the fault it meets.
func (s *Sim) admitCall(c *call.Call, opts control.Options) (err error) {
	s.live.Locked(func(w *world.World) {
		if err = s.keys.Authenticate(c, opts.Strict, c.Now); err != nil {
			return
		}
		if err = s.rates.Throttle(opts.Rates, c.Action, c.Now); err != nil {
			return
		}
		if err = s.keys.Permit(w, c); err != nil {
			return
		}
		if err = s.vpc.BeginChange(c); err != nil {
			return
		}
		c.Fault = s.MatchFault(c.Action, c.Params)
	})
	return err
}

// performCall does the work of a call that was admitted, unless a fault keeps it from that.
func (s *Sim) performCall(c *call.Call) call.Answer {
	defer s.live.Locked(func(*world.World) { s.vpc.EndChange(c) })
	f := c.Fault
	s.applyEdits(f.Edits)
	if f.Breaks() && !f.After {
		return call.FaultAnswer(f, c)
	}
	out, err := s.runAction(c)
	switch {
	case err != nil:
		return call.RefusedWith(c, err)
	case f.Breaks():
		return call.FaultAnswer(f, c)
	}
	return call.Answer{Status: http.StatusOK, Reply: out}
}

// applyEdits makes the edits of a foreign writer that come just before a call's work.
func (s *Sim) applyEdits(edits []world.Edit) {
	if len(edits) == 0 {
		return
	}
	_ = s.live.Work(func(w *world.World, _ time.Time) error { // which cannot fail
		if w.ApplyEdits(edits) {
			w.Touch()
		}
		return nil
	})
}

// runAction runs the action's handler on the world as it is now.
func (s *Sim) runAction(c *call.Call) (out call.Reply, err error) {
	handle, err := s.actionOf(c)
	if err != nil {
		return nil, err
	}
	opts := s.Options()
	c.PageTime, c.TokenMemory = opts.PageTime, opts.TokenMemory
	c.Rehearsed = c.IsDryRun() || c.Fault.Nothing
	run := s.live.Work
	if c.Rehearsed {
		run = s.live.DryRun
	}
	err = run(func(w *world.World, now time.Time) error {
		if region := c.Param("RegionId"); region != "" && region != w.Region {
			return world.NewRefusal("InvalidRegionId.NotFound")
		}
		c.Now = now
		before := w.Serial
		if out, err = handle(w, c); err == nil && c.IsDryRun() {
			return world.NewRefusal("DryRunOperation")
		}
		applyFault(w, before, c.Fault)
		return err
	})
	return out, err
}

// applyFault lets a fault strike what a call made since a serial number.
func applyFault(w *world.World, serial int, f fault.Fault) {
	if f.Stick || f.Vanish {
		w.StickSince(serial, f.Vanish)
	}
}

// recordCall tells of an answered call.
func (s *Sim) recordCall(c *call.Call, id string, a call.Answer) {
	opts := s.Options()
	s.Log.Record(c, id, a, call.Sinks{Log: opts.Log, Lines: opts.RequestLog})
}
