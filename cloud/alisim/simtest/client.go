// Package simtest asks a simulator as clients do, for the tests of its rooms.
package simtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

// Args are the parameters of a request.
type Args map[string]string

// New starts a simulator with the example seed, without keys unless the test changes that.
func New(t testing.TB, opts alisim.Options, change ...func(*alisim.Seed)) *alisim.Sim {
	t.Helper()
	seed := alisim.Example()
	seed.Keys = nil
	for _, c := range change {
		c(&seed)
	}
	sim, err := alisim.New(seed, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// Answer is what came back from a request.
type Answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}

// Code is the error's code, or "" of a good answer.
func (a Answer) Code() string {
	code, _ := a.Body["Code"].(string)
	return code
}

// At walks into the body: names lead into objects, numbers into lists.
func (a Answer) At(path ...any) any {
	var v any = a.Body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// Ask sends one request straight to the handler. The version is the VPC's unless given.
func Ask(t testing.TB, sim *alisim.Sim, action string, with Args) Answer {
	t.Helper()
	values := url.Values{"Action": {action}, "Version": {"2016-04-28"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"}}
	for k, v := range with {
		values.Set(k, v)
	}
	return Do(t, sim, httptest.NewRequest(http.MethodGet, "/?"+values.Encode(), nil))
}

// AskECS is Ask with the version of ECS.
func AskECS(t testing.TB, sim *alisim.Sim, action string, with Args) Answer {
	t.Helper()
	all := Args{"Version": "2014-05-26"}
	maps.Copy(all, with)
	return Ask(t, sim, action, all)
}

// Do sends a request straight to the handler, and reads the JSON of its answer.
func Do(t testing.TB, sim *alisim.Sim, r *http.Request) Answer {
	t.Helper()
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, r)
	a := Answer{Status: w.Code, Header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.Body); err != nil {
		t.Fatalf("answer is no JSON: %v\n%s", err, w.Body)
	}
	return a
}

// Good asks and demands a good answer.
func Good(t testing.TB, sim *alisim.Sim, action string, with Args) Answer {
	t.Helper()
	a := Ask(t, sim, action, with)
	if a.Status != http.StatusOK {
		t.Fatalf("%s %v: %d %v", action, with, a.Status, a.Body)
	}
	return a
}

// Bad asks and demands the error code.
func Bad(t testing.TB, sim *alisim.Sim, action string, with Args, code string) {
	t.Helper()
	if a := Ask(t, sim, action, with); a.Code() != code {
		t.Errorf("%s %v: code %q, want %q (%v)", action, with, a.Code(), code, a.Body)
	}
}

// EntryArgs are the parameters of CreateRouteEntry for a destination to instance i-1 in vtb-1.
func EntryArgs(destination string) Args {
	return Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": destination, "NextHopId": "i-1"}
}

// BatchArgs are the parameters of the batch calls: each item is "table destination hop".
func BatchArgs(items ...string) Args {
	out := Args{}
	for i, text := range items {
		f := strings.Fields(text)
		for k, v := range map[string]string{"RouteTableId": f[0], "DstCidrBlock": f[1], "NextHop": f[2], "NextHopType": "Instance"} {
			out[fmt.Sprintf("RouteEntries.%d.%s", i+1, k)] = v
		}
	}
	return out
}

// AskRaw asks and gives the answer's body as it is.
func AskRaw(t testing.TB, sim *alisim.Sim, action string, with Args) string {
	t.Helper()
	values := url.Values{"Action": {action}, "Version": {"2016-04-28"}, "RegionId": {"cn-hangzhou"}}
	for k, v := range with {
		values.Set(k, v)
	}
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?"+values.Encode(), nil))
	return w.Body.String()
}

// Count is the length of a list in an answer.
func Count(a Answer, path ...any) int {
	list, _ := a.At(path...).([]any)
	return len(list)
}
