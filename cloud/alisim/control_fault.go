package alisim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane/api"
)

// faultJSON is a fault with its durations written like "2s".
type faultJSON struct {
	Fault
	Delay      Duration `json:"delay,omitempty"`
	RetryAfter Duration `json:"retryAfter,omitempty"`
	Every      Duration `json:"every,omitempty"`
}

// armedJSON is a fault with what became of it.
type armedJSON struct {
	faultJSON
	Hits int `json:"hits"`
	Left int `json:"left"`
}

func (a Armed) json() armedJSON {
	return armedJSON{faultJSON{a.Fault, Duration(a.Delay), Duration(a.RetryAfter), Duration(a.Every)}, a.Hits, a.Left}
}

func (s *Sim) faultRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/faults", answering(func(*http.Request) (any, error) {
		return mapped(s.Faults(), Armed.json), nil
	}))
	mux.HandleFunc("GET /v1/faults/{name}", answering(func(r *http.Request) (any, error) {
		for _, a := range s.Faults() {
			if a.Name == r.PathValue("name") {
				return a.json(), nil
			}
		}
		return nil, fmt.Errorf("fault %q: %w", r.PathValue("name"), api.ErrNotFound)
	}))
	mux.HandleFunc("POST /v1/faults", answering(func(r *http.Request) (any, error) {
		f, err := take(r, faultJSON{})
		if err != nil {
			return nil, err
		}
		f.Fault.Delay, f.Fault.RetryAfter, f.Fault.Every = time.Duration(f.Delay), time.Duration(f.RetryAfter), time.Duration(f.Every)
		if bad := f.Fault.wrong(); bad != "" {
			return nil, fmt.Errorf("fault: %w: %s", api.ErrInvalid, bad)
		}
		return map[string]string{"name": s.Fault(f.Fault)}, nil
	}))
	mux.HandleFunc("DELETE /v1/faults", answering(func(*http.Request) (any, error) { s.ClearFaults(); return nil, nil }))
	mux.HandleFunc("DELETE /v1/faults/{name}", answering(func(r *http.Request) (any, error) {
		if !s.RemoveFault(r.PathValue("name")) {
			return nil, fmt.Errorf("fault %q: %w", r.PathValue("name"), api.ErrNotFound)
		}
		return nil, nil
	}))
}

// listRequests lists the log: of one action, after a number, and the last ones only, when
// the query asks for that.
func (s *Sim) listRequests(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, err := strconv.Atoi(cmp.Or(q.Get("after"), "0"))
	last, err2 := strconv.Atoi(cmp.Or(q.Get("last"), strconv.Itoa(requestLimit)))
	if err != nil || err2 != nil || last < 0 {
		return nil, fmt.Errorf("%w: after and last are numbers", api.ErrInvalid)
	}
	list := slices.DeleteFunc(s.Requests(), func(r Request) bool {
		return r.Seq <= after || q.Get("action") != "" && r.Action != q.Get("action")
	})
	return nonNil(list[max(0, len(list)-last):]), nil
}

// settings are the options that may be changed while the simulator runs, with durations
// written like "2s".
type settings struct {
	TaskTime    Duration       `json:"taskTime"`
	ReadTime    Duration       `json:"readTime"`
	WriteTime   Duration       `json:"writeTime"`
	UnknownTime Duration       `json:"unknownTime"`
	TokenMemory Duration       `json:"tokenMemory"`
	PageTime    Duration       `json:"pageTime"`
	SessionTime Duration       `json:"sessionTime"`
	Rates       map[string]int `json:"rates"`
	Readings    Readings       `json:"readings"`
	LongestURI  int            `json:"longestUri"`
	Strict      bool           `json:"strict"`
}

func settingsOf(o Options) settings {
	out := settings{
		TaskTime: Duration(o.TaskTime), ReadTime: Duration(o.ReadTime), WriteTime: Duration(o.WriteTime),
		UnknownTime: Duration(o.UnknownTime), TokenMemory: Duration(o.TokenMemory), PageTime: Duration(o.PageTime),
		SessionTime: Duration(o.SessionTime), Rates: o.Rates, Readings: o.Readings, LongestURI: o.LongestURI, Strict: o.Strict,
	}
	if out.Rates == nil {
		out.Rates = map[string]int{}
	}
	return out
}

// putSettings changes what the body names and leaves the rest. Rates are replaced as a whole.
func (s *Sim) putSettings(r *http.Request) (any, error) {
	text, err := jsonBody(r)
	if err != nil {
		return nil, err
	}
	s.Tune(func(o *Options) { // at once: two who change different things both do
		n := settingsOf(*o)
		rates := n.Rates
		n.Rates = nil
		if n, err = decode(text, n); err != nil {
			return
		}
		if n.Rates == nil {
			n.Rates = rates
		}
		o.TaskTime, o.ReadTime, o.WriteTime = time.Duration(n.TaskTime), time.Duration(n.ReadTime), time.Duration(n.WriteTime)
		o.UnknownTime, o.TokenMemory = time.Duration(n.UnknownTime), time.Duration(n.TokenMemory)
		o.PageTime, o.SessionTime = time.Duration(n.PageTime), time.Duration(n.SessionTime)
		o.Rates, o.Readings, o.LongestURI, o.Strict = n.Rates, n.Readings, n.LongestURI, n.Strict
	})
	if err != nil {
		return nil, err
	}
	return settingsOf(s.Options()), nil
}
