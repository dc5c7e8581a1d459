package alisim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
)

// These bound the log of requests, so that a simulator may run for weeks: how many it holds,
// how many bytes they have together and one text of them, and how many actions are counted.
const (
	requestLimit = 20000
	logLimit     = 64 << 20
	textLimit    = 4 << 10
	countLimit   = 1000
)

// Request is what was asked and answered once.
type Request struct {
	Seq     int               `json:"seq"` // from 1, never reused
	At      time.Time         `json:"at"`  // when it came
	Ended   time.Time         `json:"ended"`
	ID      string            `json:"id"` // the RequestId of the answer
	Method  string            `json:"method"`
	Action  string            `json:"action"`
	Version string            `json:"version"`
	Key     string            `json:"key"`             // access key id
	Agent   string            `json:"agent"`           // the client's User-Agent
	Params  map[string]string `json:"params"`          // without secrets; long ones are cut
	Status  int               `json:"status"`          // HTTP; 0 when the connection was dropped
	Code    string            `json:"code"`            // of an error, else empty
	Fault   string            `json:"fault,omitempty"` // the name of the fault that struck
}

// Requests lists the API requests so far, oldest first, those that failed too. The log
// is bounded: only the last 10000 are sure to be there, or fewer when they were large.
func (s *Sim) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Counts is how often each action was called since the start or the last Reset.
func (s *Sim) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Reset forgets the requests so far and their counts; numbers go on.
func (s *Sim) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.logged, s.counts = nil, 0, map[string]int{}
}

// keep adds to the log and drops its older half when it is full. The caller holds mu.
func (s *Sim) keep(r Request) {
	if half := len(s.requests) / 2; len(s.requests) >= requestLimit || s.logged > logLimit {
		for _, old := range s.requests[:half] {
			s.logged -= old.size()
		}
		s.requests = slices.Clone(s.requests[half:])
	}
	s.logged += r.size()
	s.requests = append(s.requests, r)
}

// size is about how many bytes a request takes in the log.
func (r Request) size() int {
	const each = 64 // what a map needs for a parameter beside its text
	n := 512 + len(r.Method) + len(r.Action) + len(r.Version) + len(r.Key) + len(r.Agent)
	for name, value := range r.Params {
		n += each + len(name) + len(value)
	}
	return n
}

// cut is a text as the log keeps it: not longer than is of use, and a copy, for what is cut
// out of a request line would keep all of that line.
func cut(text string) string {
	if len(text) > textLimit {
		return strings.ToValidUTF8(text[:textLimit], "") + "..."
	}
	return strings.Clone(text)
}

// secret reports whether a parameter is one that nobody may read later. Clients spell them
// in several ways.
func secret(name string) bool {
	switch name = strings.ToLower(name); name {
	case "signature":
		return true
	case "clienttoken", "nexttoken", "httptokens":
		return false
	}
	return strings.Contains(name, "secret") || strings.Contains(name, "token") || strings.Contains(name, "password")
}

func (s *Sim) record(c *call, id string, a answer) {
	params := make(map[string]string, len(c.params))
	for name, value := range c.params {
		if !secret(name) && name != "AccessKeyId" {
			params[cut(name)] = cut(value)
		}
	}
	r := Request{
		At: c.began, Ended: time.Now(), ID: id, Method: cut(c.method), Action: cut(c.action), Version: cut(c.version), Key: cut(c.key),
		Agent: cut(c.agent), Params: params, Status: a.status, Fault: c.fault.Name,
	}
	if a.bad != nil {
		r.Code = a.bad.code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	r.Seq = s.seq
	if _, known := s.counts[r.Action]; known || len(s.counts) < countLimit {
		s.counts[r.Action]++
	}
	s.keep(r)
	s.opts.Log.Debug("request answered", api.KeyVerb, r.Action, api.KeyReason, r.Code, api.KeyRequest, id)
	if s.opts.RequestLog != nil {
		_ = json.NewEncoder(s.opts.RequestLog).Encode(r) // said in Options: not repeated
	}
}
