package call

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane/api"
)

// These bound the log of requests, so that a simulator may run for weeks: how many it holds,
// how many bytes they have together and one text of them, and how many actions are counted.
const (
	LogLimit   = 20000
	logLimit   = 64 << 20
	textLimit  = 4 << 10
	countLimit = 1000
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

// Log is the log of the API's requests. It is bounded in number and bytes.
type Log struct {
	mu       sync.Mutex // guards all below
	requests []Request
	logged   int // bytes of all requests
	counts   map[string]int
	seq      int
}

// NewLog is an empty log.
func NewLog() *Log { return &Log{counts: map[string]int{}} }

// Sinks are where requests are told beside the log.
type Sinks struct {
	Log   *slog.Logger // one debug line each
	Lines io.Writer    // each as a line of JSON; nil: none
}

// Requests lists the API requests so far, oldest first, those that failed too. The log
// is bounded: only the last 10000 are sure to be there, or fewer when they were large.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

// Counts is how often each action was called since the start or the last Reset.
func (l *Log) Counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// Reset forgets the requests so far and their counts; numbers go on.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.logged, l.counts = nil, 0, map[string]int{}
}

// appendRequest adds to the log and drops its older half when it is full. The caller holds mu.
func (l *Log) appendRequest(r Request) {
	if half := len(l.requests) / 2; len(l.requests) >= LogLimit || l.logged > logLimit {
		for _, old := range l.requests[:half] {
			l.logged -= sizeOf(old)
		}
		l.requests = slices.Clone(l.requests[half:])
	}
	l.logged += sizeOf(r)
	l.requests = append(l.requests, r)
}

// sizeOf is about how many bytes a request takes in the log.
func sizeOf(r Request) int {
	const each = 64 // what a map needs for a parameter beside its text
	n := 512 + len(r.Method) + len(r.Action) + len(r.Version) + len(r.Key) + len(r.Agent)
	for name, value := range r.Params {
		n += each + len(name) + len(value)
	}
	return n
}

// shortenedText is a text as the log keeps it: not longer than is of use, and a copy, for what is cut
// out of a request line would keep all of that line.
func shortenedText(text string) string {
	if len(text) > textLimit {
		return strings.ToValidUTF8(text[:textLimit], "") + "..."
	}
	return strings.Clone(text)
}

// isSecret reports whether a parameter is one that nobody may read later. Clients spell them
// in several ways.
func isSecret(name string) bool {
	switch name = strings.ToLower(name); name {
	case "signature":
		return true
	case "clienttoken", "nexttoken", "httptokens":
		return false
	}
	return strings.Contains(name, "secret") || strings.Contains(name, "token") || strings.Contains(name, "password")
}

// Record adds an answered call to the log.
func (l *Log) Record(c *Call, id string, a Answer, to Sinks) {
	params := make(map[string]string, len(c.Params))
	for name, value := range c.Params {
		if !isSecret(name) && name != "AccessKeyId" {
			params[shortenedText(name)] = shortenedText(value)
		}
	}
	r := Request{
		At: c.began, Ended: time.Now(), ID: id, Method: shortenedText(c.method), Action: shortenedText(c.Action), Version: shortenedText(c.Version), Key: shortenedText(c.key),
		Agent: shortenedText(c.agent), Params: params, Status: a.Status, Fault: c.Fault.Name,
	}
	if a.bad != nil {
		r.Code = a.bad.Code
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	r.Seq = l.seq
	if _, known := l.counts[r.Action]; known || len(l.counts) < countLimit {
		l.counts[r.Action]++
	}
	l.appendRequest(r)
	to.Log.Debug("request answered", api.KeyVerb, r.Action, api.KeyReason, r.Code, api.KeyRequest, id)
	if to.Lines != nil {
		_ = json.NewEncoder(to.Lines).Encode(r) // said in Options: not repeated
	}
}
