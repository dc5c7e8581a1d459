package alicloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud/write"
	"github.com/sealane/sealane/cloud/alisim"
)

const (
	batchCreate = "CreateRouteEntries"
	batchDelete = "DeleteRouteEntries"
)

// isKind requires that a result has an error of a kind; nil is done.
func isKind(t *testing.T, r cloud.Result, kind error) {
	t.Helper()
	if !errors.Is(r.Err, kind) {
		t.Errorf("%s: got %v, want %v", r.Change, r.Err, kind)
	}
}

func shortly(c *Config) { c.Settle = 50 * time.Millisecond }

func TestOutcomeOfOneCreate(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		want  error
		calls int // of the batch create
	}{
		"busy twice":              {alisim.Fault{Code: "TaskConflict", Times: 2}, nil, 3},
		"busy forever":            {alisim.Fault{Code: "IncorrectRouteEntryStatus", Times: -1}, api.ErrBusy, write.Tries},
		"throttled":               {alisim.Fault{Code: "Throttling.User"}, api.ErrThrottled, 1},
		"denied":                  {alisim.Fault{Code: "Forbidden.AccessKeyDisabled", Status: 403}, api.ErrDenied, 1},
		"table full":              {alisim.Fault{Code: "QuotaExceeded"}, api.ErrQuota, 1},
		"answer lost, done":       {alisim.Fault{Reset: true, After: true}, nil, 1},
		"answer lost, not done":   {alisim.Fault{Reset: true}, api.ErrUnknown, 1},
		"server error, done":      {alisim.Fault{Code: "InternalError", Status: 500, After: true}, nil, 1},
		"server error, not done":  {alisim.Fault{Code: "InternalError", Status: 500}, api.ErrUnknown, 1},
		"gateway's page":          {alisim.Fault{HTML: true}, api.ErrUnknown, 1},
		"code nobody knows":       {alisim.Fault{Code: "Surprise.Surprise"}, api.ErrUnknown, 1},
		"accepted, stays Pending": {alisim.Fault{Stick: true}, api.ErrUnknown, 1},
		"accepted, vanishes":      {alisim.Fault{Vanish: true}, api.ErrUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r rig) {
				test.fault.Action = batchCreate
				r.sim.Fault(test.fault)
				isKind(t, r.apply(t, creates(0, 1)...)[0], test.want)
				if got := r.calls(batchCreate); got != test.calls {
					t.Errorf("%d calls, want %d", got, test.calls)
				}
			}, shortly)
		})
	}
}

func TestStuckEntryIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, r rig) {
		r.sim.Fault(alisim.Fault{Action: batchCreate, Stick: true})
		err := r.apply(t, creates(0, 1)...)[0].Err
		if err == nil || !strings.Contains(err.Error(), "last seen Pending within 50ms") {
			t.Errorf("got %v", err)
		}
	}, shortly)
}

// Throttling and denial end the whole call; what was not sent says so.
func TestStopsSending(t *testing.T) {
	for code, want := range map[string]error{"Throttling.User": api.ErrThrottled, "Forbidden.AccessKeyDisabled": api.ErrDenied} {
		t.Run(code, func(t *testing.T) {
			r := newRig(t)
			r.sim.Fault(alisim.Fault{Action: batchCreate, Code: code, Skip: 1})
			results := r.apply(t, append(creates(0, 60), creates(1, 10)...)...)
			for i, result := range results {
				if i < 50 {
					isKind(t, result, nil)
				} else {
					isKind(t, result, want)
				}
			}
			if got := r.calls(batchCreate); got != 2 {
				t.Errorf("%d calls, want 2", got)
			}
		})
	}
}

// Throttled reads keep nothing from being written.
func TestThrottledWhileReadingBack(t *testing.T) {
	r := newRig(t)
	r.sim.Fault(alisim.Fault{Action: "DescribeRouteEntryList", Code: "Throttling", Times: 3})
	for _, result := range r.apply(t, append(creates(0, 30), creates(1, 30)...)...) {
		isKind(t, result, nil)
	}
}

// What cannot be seen at all is not followed by more.
func TestThrottledForEverWhileReadingBack(t *testing.T) {
	bubble(t, func(t *testing.T, r rig) {
		r.sim.Fault(alisim.Fault{Action: "DescribeRouteEntryList", Code: "Throttling", Times: -1})
		results := r.apply(t, creates(0, 60)...)
		isKind(t, results[0], api.ErrUnknown)
		isKind(t, results[59], api.ErrThrottled)
		if got := r.calls(batchCreate); got != 1 {
			t.Errorf("%d calls, want 1", got)
		}
	}, shortly)
}

func TestReadingBackSurvivesTrouble(t *testing.T) {
	r := newRig(t)
	r.sim.Fault(alisim.Fault{Action: "DescribeRouteEntryList", HTML: true, Times: 2})
	isKind(t, r.apply(t, creates(0, 1)...)[0], nil)
}

func TestDeletesUnderTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		want  error
	}{
		"busy":        {alisim.Fault{Action: batchDelete, Code: "TaskConflict"}, nil},
		"answer lost": {alisim.Fault{Action: batchDelete, Reset: true, After: true}, nil},
		"not done":    {alisim.Fault{Action: batchDelete, Reset: true}, api.ErrUnknown},
		"unreadable":  {alisim.Fault{Action: "DescribeRouteEntryList", HTML: true}, api.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r rig) {
				r.done(t, creates(0, 2)...)
				r.sim.Fault(test.fault)
				for _, result := range r.apply(t, leaving(creates(0, 2))...) {
					isKind(t, result, test.want)
				}
			}, shortly)
		})
	}
}

func TestReplaceUnderTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		want  error
	}{
		"busy":        {alisim.Fault{Code: "TaskConflict"}, nil},
		"answer lost": {alisim.Fault{Reset: true, After: true}, nil},
		"not done":    {alisim.Fault{Reset: true}, api.ErrUnknown},
		"refused":     {alisim.Fault{Code: "InvalidNextHop.NotFound"}, api.ErrNotFound},
		"no change":   {alisim.Fault{Code: "OperationDenied.NextHopNotChanged"}, api.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r rig) {
				r.done(t, creates(0, 1)...)
				test.fault.Action = "ModifyRouteEntry"
				r.sim.Fault(test.fault)
				was := route(0, 0, 0)
				isKind(t, r.apply(t, api.Change{Verb: api.Replace, Route: route(0, 0, 1), Was: &was})[0], test.want)
			}, shortly)
		})
	}
}

// An entry in the middle of a change is neither replaced nor deleted.
func TestEntryInTransition(t *testing.T) {
	r := newRig(t)
	mine := route(0, 0, 0)
	must(r.sim.AddRoute(string(mine.Table), alisim.Route{
		Destination: mine.Destination, NextHop: mine.NextHop, Name: mine.Mark.Name(), Description: api.Seal{}.Description(mine),
		State: alisim.Modifying,
	}))
	isKind(t, r.apply(t, api.Change{Verb: api.Delete, Route: mine})[0], api.ErrBusy)
	isKind(t, r.apply(t, api.Change{Verb: api.Replace, Route: route(0, 0, 1), Was: &mine})[0], api.ErrBusy)
	if n := r.calls(batchDelete) + r.calls("ModifyRouteEntry"); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestContextEndsWhileSent(t *testing.T) {
	bubble(t, func(t *testing.T, r rig) {
		r.sim.Fault(alisim.Fault{Action: batchCreate, Delay: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		results, err := r.Apply(ctx, creates(0, 51), cloud.Always)
		if err != nil {
			t.Fatal(err)
		}
		isKind(t, results[0], api.ErrUnknown)
		isKind(t, results[50], context.DeadlineExceeded)
		if errors.Is(results[50].Err, api.ErrUnknown) {
			t.Errorf("what was not sent is unknown: %v", results[50].Err)
		}
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("the call outlived its context by %s", took)
		}
	})
}

// between puts a layer before the simulator. It sees a request's action and answers it, or
// returns false; rewrite changes the simulator's answer.
func between(t *testing.T, r rig, answer func(http.ResponseWriter, *http.Request) bool, rewrite func(action, body string) string) rig {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		again := req.Clone(req.Context())
		req.Body, again.Body = io.NopCloser(strings.NewReader(string(body))), io.NopCloser(strings.NewReader(string(body)))
		if answer != nil && answer(w, req) {
			return
		}
		recorder := httptest.NewRecorder()
		r.sim.API().ServeHTTP(recorder, again)
		text := recorder.Body.String()
		if rewrite != nil {
			text = rewrite(req.URL.Query().Get("Action"), text)
		}
		w.WriteHeader(recorder.Code)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	p, err := New(config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return rig{p, r.sim}
}

// Codes of failed batch items are hardly documented: an unknown one is asked for alone.
func TestUnknownCodeInBatch(t *testing.T) {
	r := between(t, newRig(t), nil, func(action, body string) string {
		if action == batchCreate {
			return strings.ReplaceAll(body, "InvalidNextHop.NotFound", "VPC_ROUTE_ENTRY_SURPRISE")
		}
		return body
	})
	changes := creates(0, 3)
	changes[1].Route.NextHop = "i-bp1small0000000000009"
	results := r.apply(t, changes...)
	isKind(t, results[0], nil)
	isKind(t, results[1], api.ErrNotFound)
	isKind(t, results[2], nil)
	if got := r.calls("CreateRouteEntry"); got != 1 {
		t.Errorf("%d single creates, want 1", got)
	}
}

// Should the cloud refuse a whole batch for one item, the others are made all the same.
func TestWholeBatchRefused(t *testing.T) {
	refuse := func(code string, when func(form string) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			form, _ := io.ReadAll(req.Body)
			if req.URL.Query().Get("Action") != batchCreate || !when(string(form)) {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"Code":"`+code+`","Message":"no","RequestId":"1"}`)
			return true
		}
	}
	t.Run("one is invalid", func(t *testing.T) {
		r := between(t, newRig(t), refuse("InvalidCidrBlock", func(form string) bool { return strings.Contains(form, "10.0.6.0") }), nil)
		for i, result := range r.apply(t, creates(0, 20)...) {
			if i == 6 {
				isKind(t, result, api.ErrInvalid)
			} else {
				isKind(t, result, nil)
			}
		}
	})
	t.Run("they do not all fit", func(t *testing.T) {
		base := newRig(t)
		table := string(route(0, 0, 0).Table)
		empty := len(base.sim.Routes(table))
		r := between(t, base, refuse("QuotaExceeded", func(form string) bool {
			return len(base.sim.Routes(table))-empty+strings.Count(form, "DstCidrBlock") > 7
		}), nil)
		var made int
		for _, result := range r.apply(t, creates(0, 40)...) {
			if result.Err == nil {
				made++
			} else {
				isKind(t, result, api.ErrQuota)
			}
		}
		if made != 7 {
			t.Errorf("%d made with room for 7", made)
		}
	})
}

// A learnt route holds a destination that no custom entry shows.
func TestDestinationOfALearntRoute(t *testing.T) {
	r := between(t, newRig(t), nil, func(_, body string) string {
		return strings.ReplaceAll(body, `"Type":"System"`, `"Type":"CEN"`)
	})
	c := creates(0, 1)[0]
	c.Route.Destination = world().VPCs[0].VSwitches[1].CIDR
	err := r.apply(t, c)[0].Err
	if !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "CEN") {
		t.Errorf("got %v, want ErrRefused for an entry of type CEN", err)
	}
}

// 50 marked entries do not fit into a request line; they travel in the form.
func TestRequestLineStaysShort(t *testing.T) {
	longest := 0
	var mu sync.Mutex // reads go side by side
	r := between(t, newRig(t), func(_ http.ResponseWriter, req *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		longest = max(longest, len(req.URL.RequestURI()))
		return false
	}, nil)
	changes := creates(0, 50)
	r.done(t, changes...)
	for i := range changes {
		changes[i].Verb = api.Delete
	}
	r.done(t, changes...)
	mu.Lock()
	defer mu.Unlock()
	if longest > 2048 {
		t.Errorf("a request line has %d bytes", longest)
	}
}
