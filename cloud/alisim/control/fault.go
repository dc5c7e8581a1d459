package control

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// faultJSON is a fault with its durations written like "2s".
type faultJSON struct {
	fault.Fault
	Delay      seed.Duration `json:"delay,omitempty"`
	RetryAfter seed.Duration `json:"retryAfter,omitempty"`
	Every      seed.Duration `json:"every,omitempty"`
}

// armedJSON is a fault with what became of it.
type armedJSON struct {
	faultJSON
	Hits int `json:"hits"`
	Left int `json:"left"`
}

func armedForm(a fault.Armed) armedJSON {
	return armedJSON{faultJSON{a.Fault, seed.Duration(a.Delay), seed.Duration(a.RetryAfter), seed.Duration(a.Every)}, a.Hits, a.Left}
}

func (s Control) faultRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/faults", answerJSON(func(*http.Request) (any, error) {
		return world.Mapped(s.Faults.Faults(), armedForm), nil
	}))
	mux.HandleFunc("GET /v1/faults/{name}", answerJSON(func(r *http.Request) (any, error) {
		for _, a := range s.Faults.Faults() {
			if a.Name == r.PathValue("name") {
				return armedForm(a), nil
			}
		}
		return nil, fmt.Errorf("fault %q: %w", r.PathValue("name"), api.ErrNotFound)
	}))
	mux.HandleFunc("POST /v1/faults", answerJSON(func(r *http.Request) (any, error) {
		f, err := readBody(r, faultJSON{})
		if err != nil {
			return nil, err
		}
		f.Fault.Delay, f.Fault.RetryAfter, f.Fault.Every = time.Duration(f.Delay), time.Duration(f.RetryAfter), time.Duration(f.Every)
		if bad := f.Fault.Mistake(); bad != "" {
			return nil, fmt.Errorf("fault: %w: %s", api.ErrInvalid, bad)
		}
		return map[string]string{"name": s.Faults.Fault(f.Fault)}, nil
	}))
	mux.HandleFunc("DELETE /v1/faults", answerJSON(func(*http.Request) (any, error) { s.Faults.ClearFaults(); return nil, nil }))
	mux.HandleFunc("DELETE /v1/faults/{name}", answerJSON(func(r *http.Request) (any, error) {
		if !s.Faults.RemoveFault(r.PathValue("name")) {
			return nil, fmt.Errorf("fault %q: %w", r.PathValue("name"), api.ErrNotFound)
		}
		return nil, nil
	}))
}

// listRequests lists the log: of one action, after a number, and the last ones only, when
// the query asks for that.
func (s Control) listRequests(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, err := strconv.Atoi(cmp.Or(q.Get("after"), "0"))
	last, err2 := strconv.Atoi(cmp.Or(q.Get("last"), strconv.Itoa(call.LogLimit)))
	if err != nil || err2 != nil || last < 0 {
		return nil, fmt.Errorf("%w: after and last are numbers", api.ErrInvalid)
	}
	list := slices.DeleteFunc(s.Log.Requests(), func(r call.Request) bool {
		return r.Seq <= after || q.Get("action") != "" && r.Action != q.Get("action")
	})
	return world.NonNil(list[max(0, len(list)-last):]), nil
}
