package alisim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

func TestLogIsBoundedInBytes(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) { s.Keys = alisim.Example().Keys })
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
		if a := do(t, sim, r); a.code() != "MissingParameter" {
			t.Fatalf("answered %v", a.body)
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
	sim := newSim(t, alisim.Options{})
	var form strings.Builder
	for n := range 9000 {
		fmt.Fprintf(&form, "p%d=&", n)
	}
	for range 200 {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.String()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		do(t, sim, r)
	}
	if n := len(sim.Requests()); n > 150 {
		t.Errorf("%d requests of 9000 parameters are held", n)
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	var lines strings.Builder
	sim := newSim(t, alisim.Options{RequestLog: &lines})
	const canary = "canary-4711"
	with := args{"ClientToken": "kept-1", "NextToken": "kept-2", "SignatureNonce": "kept-3"}
	for _, name := range []string{"BearerToken", "AccessKeySecret", "securitytoken", "SECURITYTOKEN", "signature", "Signature", "x.1.Secret", "Password"} {
		with[name] = canary
	}
	ask(t, sim, "DescribeVpcs", with)
	_, told := control(t, sim, "GET", "/v1/requests", "")
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
