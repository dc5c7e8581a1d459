package alisim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxBody = 1 << 20
)

// answer is what goes back to the caller.
type answer struct {
	status int
	reply  reply    // of a call that went well
	bad    *refusal // of one that did not
	html   bool
	reset  bool // the connection breaks off
	drop   bool // the connection is closed, with nothing said
}

// refusedWith is the answer for an error of a handler. Those are refusals; anything else is
// a fault of the simulator and looks like one.
func refusedWith(c *call, err error) answer {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = refuse("InternalError")
		r.message = err.Error()
	}
	r.status = statusOf(c, r.code, r.status)
	return answer{status: r.status, bad: r}
}

// reply is the body of a good answer; all of them embed body.
type reply interface{ named(requestID string) }

// body is what every good answer carries.
type body struct {
	RequestID string `json:"RequestId"`
}

func (b *body) named(requestID string) { b.RequestID = requestID }

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
		s.write(w, c, id, a)
	})
}

// answer authenticates, lets a fault strike, and does the work. What was admitted is done:
// of a caller who hangs up meanwhile the cloud drops the answer, not the work.
func (s *Sim) answer(r *http.Request, c *call, id string, opts Options) answer {
	if err := s.admit(c); err != nil {
		return refusedWith(c, err)
	}
	took := c.fault.Delay + opts.WriteTime
	if reads(c.action) {
		took = c.fault.Delay + opts.ReadTime
	}
	ends := time.Now().Add(took)
	if err := pause(r.Context(), took); err != nil {
		time.AfterFunc(time.Until(ends), func() {
			s.perform(c)
			s.record(c, id, answer{drop: true})
		})
		panic(http.ErrAbortHandler) // nobody is left to be answered
	}
	return s.perform(c)
}

// perform does the work of a call that was admitted, unless a fault keeps it from that.
func (s *Sim) perform(c *call) answer {
	defer s.ended(c)
	f := c.fault
	s.interfere(f.Edits)
	if f.breaks() && !f.After {
		return f.answer(c)
	}
	out, err := s.work(c)
	switch {
	case err != nil:
		return refusedWith(c, err)
	case f.breaks():
		return f.answer(c)
	}
	return answer{status: http.StatusOK, reply: out}
}

// admit says whether a call may come in, and finds the fault it meets.
func (s *Sim) admit(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.authenticate(c, c.now); err != nil {
		return err
	}
	if err := s.throttle(c.action, c.now); err != nil {
		return err
	}
	if err := s.permit(c); err != nil {
		return err
	}
	if err := s.begun(c); err != nil {
		return err
	}
	c.fault = s.meet(c)
	return nil
}

// work runs the action's handler on the model as it is now.
func (s *Sim) work(c *call) (reply, error) {
	handle, err := lookup(c)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now, c.pageTime, c.hostBits = time.Now(), s.opts.PageTime, s.opts.Readings.HostBits
	if region := c.get("RegionId"); region != "" && region != s.world.region {
		return nil, refuse("InvalidRegionId.NotFound")
	}
	s.settle(c.now)
	switch {
	case c.dryRun():
		if _, err := s.pretend(handle, c); err != nil {
			return nil, err
		}
		return nil, refuse("DryRunOperation")
	case c.fault.Nothing:
		return s.pretend(handle, c)
	}
	before := s.world.serial
	out, err := handle(s, c)
	s.world.afflict(before, c.fault)
	return out, err
}

// afflict applies a fault to the entries that a call made.
func (w *world) afflict(before int, f Fault) {
	if !f.Stick && !f.Vanish {
		return
	}
	for _, v := range w.vpcs {
		for _, e := range v.task.entries {
			if e.serial <= before {
				continue
			}
			e.stuck = true
			if f.Vanish {
				v.task.vanished = append(v.task.vanished, e)
			}
		}
	}
}

// readCall takes the parameters from query and form, and action, version and key from
// wherever this client puts them.
func readCall(w http.ResponseWriter, r *http.Request) (*call, error) {
	now := time.Now()
	c := &call{method: r.Method, params: map[string]string{}, now: now, began: now, agent: r.UserAgent(), host: r.Host, secured: r.TLS != nil}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return c, refuse("UnsupportedHTTPMethod")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return c, refuse("InvalidParameter")
	}
	for name := range r.PostForm {
		c.formItems = c.formItems || strings.HasPrefix(name, "RouteEntries.")
	}
	c.take(r.PostForm)
	c.take(r.URL.Query())
	c.action = first(c.params["Action"], r.Header.Get("x-acs-action"))
	c.version = first(c.params["Version"], r.Header.Get("x-acs-version"))
	c.key = c.params["AccessKeyId"]
	if auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "ACS3-HMAC-SHA256 "); ok {
		c.acs3, c.key, c.token = true, credential(auth), r.Header.Get("x-acs-security-token")
	}
	if format := c.params["Format"]; format != "" && !strings.EqualFold(format, "JSON") {
		return c, illegal("Format")
	}
	return c, nil
}

func (c *call) take(values url.Values) {
	for name, v := range values {
		c.params[name] = v[0]
	}
}

// credential reads the key id from "Credential=id,SignedHeaders=...,Signature=...".
func credential(auth string) string {
	for part := range strings.SplitSeq(auth, ",") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
			return id
		}
	}
	return ""
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// requestID is an upper-case UUID, as the cloud gives with each answer.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
