package call_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestLogIsBoundedInBytes(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.Keys = alisim.Example().Keys })
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	large := strings.Repeat("x", 1<<20-64)
	for n := range 200 {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(fmt.Sprintf("Action=A%d&Large=%s", n, large)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := simtest.Do(t, sim, r); a.Code() != "MissingParameter" {
			t.Fatalf("answered %v", a.Body)
		}
	}
	if grown := int64(heap()) - int64(before); grown > 20<<20 {
		t.Errorf("200 requests of 1 MiB hold %d MiB", grown>>20)
	}
	if log := sim.Requests(); len(log) != 200 || len(log[0].Params["Large"]) > 5000 {
		t.Errorf("log has %d requests", len(log))
	}
}

func TestLogForgetsManyParameters(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	var form strings.Builder
	for n := range 9000 {
		fmt.Fprintf(&form, "p%d=&", n)
	}
	for range 200 {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.String()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		simtest.Do(t, sim, r)
	}
	if n := len(sim.Requests()); n > 150 {
		t.Errorf("%d requests of 9000 parameters are held", n)
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	var lines strings.Builder
	sim := simtest.New(t, alisim.Options{RequestLog: &lines})
	const canary = "canary-4711"
	with := simtest.Args{"ClientToken": "kept-1", "NextToken": "kept-2", "SignatureNonce": "kept-3"}
	for _, name := range []string{"BearerToken", "AccessKeySecret", "securitytoken", "SECURITYTOKEN", "signature", "Signature", "x.1.Secret", "Password"} {
		with[name] = canary
	}
	simtest.Ask(t, sim, "DescribeVpcs", with)
	_, told := simtest.AskControl(t, sim, "GET", "/v1/requests", "")
	for where, text := range map[string]string{"file": lines.String(), "endpoint": told} {
		if strings.Contains(text, canary) {
			t.Errorf("%s: %s", where, text)
		}
		for _, kept := range []string{"kept-1", "kept-2", "kept-3"} {
			if !strings.Contains(text, kept) {
				t.Errorf("%s lost %s", where, kept)
			}
		}
	}
}

func TestLogOfLargeRequestsIsBounded(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	form := url.Values{}
	for n := range 1 << 13 {
		form.Set(fmt.Sprintf("p%d", n), "")
	}
	body := form.Encode()
	for range 150 {
		r := httptest.NewRequest(http.MethodPost, "/?Action=DescribeVpcs&Version=2016-04-28", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		simtest.Do(t, sim, r)
	}
	all := sim.Requests()
	if len(all) < 64 || len(all) > 130 || all[len(all)-1].Seq != 150 {
		t.Errorf("%d requests are held, up to number %d", len(all), all[len(all)-1].Seq)
	}
	if sim.Reset(); len(sim.Requests()) != 0 {
		t.Error("not emptied")
	}
}
