package alisim_test

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

// args are the parameters of a request.
type args map[string]string

// newSim starts a simulator with the example seed, without keys unless the test changes that.
func newSim(t testing.TB, opts alisim.Options, change ...func(*alisim.Seed)) *alisim.Sim {
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

// answered is what came back from a request.
type answered struct {
	status int
	header http.Header
	body   map[string]any
}

// code is the error's code, or "" of a good answer.
func (a answered) code() string {
	code, _ := a.body["Code"].(string)
	return code
}

// at walks into the body: names lead into objects, numbers into lists.
func (a answered) at(path ...any) any {
	var v any = a.body
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

// ask sends one request straight to the handler. The version is the VPC's unless given.
func ask(t testing.TB, sim *alisim.Sim, action string, with args) answered {
	t.Helper()
	values := url.Values{"Action": {action}, "Version": {"2016-04-28"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"}}
	for k, v := range with {
		values.Set(k, v)
	}
	return do(t, sim, httptest.NewRequest(http.MethodGet, "/?"+values.Encode(), nil))
}

func askECS(t testing.TB, sim *alisim.Sim, action string, with args) answered {
	t.Helper()
	all := args{"Version": "2014-05-26"}
	maps.Copy(all, with)
	return ask(t, sim, action, all)
}

func do(t testing.TB, sim *alisim.Sim, r *http.Request) answered {
	t.Helper()
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, r)
	a := answered{status: w.Code, header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
		t.Fatalf("answer is no JSON: %v\n%s", err, w.Body)
	}
	return a
}

// good asks and demands a good answer.
func good(t testing.TB, sim *alisim.Sim, action string, with args) answered {
	t.Helper()
	a := ask(t, sim, action, with)
	if a.status != http.StatusOK {
		t.Fatalf("%s %v: %d %v", action, with, a.status, a.body)
	}
	return a
}

// bad asks and demands the error code.
func bad(t testing.TB, sim *alisim.Sim, action string, with args, code string) {
	t.Helper()
	if a := ask(t, sim, action, with); a.code() != code {
		t.Errorf("%s %v: code %q, want %q (%v)", action, with, a.code(), code, a.body)
	}
}

// entry are the parameters of CreateRouteEntry for a destination to instance i-1 in vtb-1.
func entry(destination string) args {
	return args{"RouteTableId": "vtb-1", "DestinationCidrBlock": destination, "NextHopId": "i-1"}
}

// batch are the parameters of the batch calls: each item is "table destination hop".
func batch(items ...string) args {
	out := args{}
	for i, text := range items {
		f := strings.Fields(text)
		for k, v := range map[string]string{"RouteTableId": f[0], "DstCidrBlock": f[1], "NextHop": f[2], "NextHopType": "Instance"} {
			out[fmt.Sprintf("RouteEntries.%d.%s", i+1, k)] = v
		}
	}
	return out
}

// custom lists the custom entries of vtb-1 as lines "destination hop state".
func custom(sim *alisim.Sim) []string {
	var out []string
	for _, r := range sim.Routes("vtb-1") {
		if !r.System {
			out = append(out, fmt.Sprintf("%s %s %s", r.Destination, r.NextHop, r.State))
		}
	}
	return out
}

// raw asks and gives the answer's body as it is.
func raw(t testing.TB, sim *alisim.Sim, action string, with args) string {
	t.Helper()
	values := url.Values{"Action": {action}, "Version": {"2016-04-28"}, "RegionId": {"cn-hangzhou"}}
	for k, v := range with {
		values.Set(k, v)
	}
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?"+values.Encode(), nil))
	return w.Body.String()
}
