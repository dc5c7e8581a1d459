package alisim

import (
	"context"
	"net/http"
	"time"
)

// API serves the OpenAPI, at any path: product and action come from the parameters.
func (s *Sim) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID()
		opts := s.Options()
		c, err := readCall(w, r)
		var a answer
		switch {
		case len(r.RequestURI) > opts.LongestURI:
			a = answer{status: http.StatusRequestURITooLong, html: true}
		case err != nil:
			a = refusedWith(c, err)
		default:
			a = s.answer(r, c, id, opts)
		}
		s.record(c, id, a)
		s.wire.Write(w, c, id, a)
	})
}

// answer authenticates, lets a fault strike, and does the work. What was admitted is done:
// of a caller who hangs up meanwhile the cloud drops the answer, not the work.
func (s *Sim) answer(r *http.Request, c *call, id string, opts Options) answer {
	if err := s.admit(c, opts); err != nil {
		return refusedWith(c, err)
	}
	took := c.fault.Delay + opts.WriteTime
	if reads(c.action) {
		took = c.fault.Delay + opts.ReadTime
	}
	ends := time.Now().Add(took)
	if err := waitUnless(r.Context(), took); err != nil {
		time.AfterFunc(time.Until(ends), func() {
			s.perform(c)
			s.record(c, id, answer{drop: true})
		})
		panic(http.ErrAbortHandler) // nobody is left to be answered
	}
	return s.perform(c)
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

// admit says whether a call may come in, and finds the fault it meets.
func (s *Sim) admit(c *call, opts Options) (err error) {
	s.live.Hold(func(w *world) {
		if err = s.keys.Authenticate(c, opts.Strict, c.now); err != nil {
			return
		}
		if err = s.rates.Throttle(opts.Rates, c.action, c.now); err != nil {
			return
		}
		if err = s.keys.Permit(w, c); err != nil {
			return
		}
		if err = s.vpc.Begin(c); err != nil {
			return
		}
		c.fault = s.MatchFault(c.action, c.params)
	})
	return err
}

// perform does the work of a call that was admitted, unless a fault keeps it from that.
func (s *Sim) perform(c *call) answer {
	defer s.live.Hold(func(*world) { s.vpc.End(c) })
	f := c.fault
	s.interfere(f.Edits)
	if f.breaks() && !f.After {
		return answerOfFault(f, c)
	}
	out, err := s.work(c)
	switch {
	case err != nil:
		return refusedWith(c, err)
	case f.breaks():
		return answerOfFault(f, c)
	}
	return answer{status: http.StatusOK, reply: out}
}

// interfere makes the edits of a foreign writer that come just before a call's work.
func (s *Sim) interfere(edits []Edit) {
	if len(edits) == 0 {
		return
	}
	_ = s.live.Work(func(w *world, _ time.Time) error { // which cannot fail
		if w.applyEdits(edits) {
			w.touch()
		}
		return nil
	})
}

// work runs the action's handler on the world as it is now.
func (s *Sim) work(c *call) (out reply, err error) {
	handle, err := s.lookup(c)
	if err != nil {
		return nil, err
	}
	opts := s.Options()
	c.pageTime, c.tokenMemory = opts.PageTime, opts.TokenMemory
	c.rehearsed = c.dryRun() || c.fault.Nothing
	run := s.live.Work
	if c.rehearsed {
		run = s.live.DryRun
	}
	err = run(func(w *world, now time.Time) error {
		if region := c.get("RegionId"); region != "" && region != w.region {
			return refuse("InvalidRegionId.NotFound")
		}
		c.now = now
		before := w.serial
		if out, err = handle(w, c); err == nil && c.dryRun() {
			return refuse("DryRunOperation")
		}
		applyFault(w, before, c.fault)
		return err
	})
	return out, err
}

// applyFault lets a fault strike what a call made since a serial number.
func applyFault(w *world, serial int, f Fault) {
	if f.Stick || f.Vanish {
		w.stickSince(serial, f.Vanish)
	}
}

// record tells of an answered call.
func (s *Sim) record(c *call, id string, a answer) {
	opts := s.Options()
	s.Log.Record(c, id, a, Sinks{opts.Log, opts.RequestLog})
}
