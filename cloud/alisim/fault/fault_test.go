package fault_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestFaultsHitTheNextCalls(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{Action: "DescribeVpcs", Skip: 1, Times: 2, Code: "Throttling.User", RetryAfter: 1500 * time.Millisecond})
	var codes []string
	for range 4 {
		a := simtest.Ask(t, sim, "DescribeVpcs", nil)
		codes = append(codes, a.Code())
		if a.Code() != "" && (a.Status != http.StatusBadRequest || a.Header.Get("x-acs-retry-after") != "1500") {
			t.Errorf("throttled with %d and %q", a.Status, a.Header.Get("x-acs-retry-after"))
		}
	}
	simtest.Good(t, sim, "DescribeVSwitches", simtest.Args{"VpcId": "vpc-1"})
	if diff := cmp.Diff([]string{"", "Throttling.User", "Throttling.User", ""}, codes); diff != "" {
		t.Error(diff)
	}
	sim.Fault(alisim.Fault{Times: -1, Code: "ServiceUnavailable"})
	for range 3 {
		if a := simtest.Ask(t, sim, "DescribeVpcs", nil); a.Status != http.StatusServiceUnavailable {
			t.Errorf("status %d", a.Status)
		}
	}
	sim.ClearFaults()
	simtest.Good(t, sim, "DescribeVpcs", nil)
}

func TestFaultBeforeOrAfterTheWork(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: "InternalError"})
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"), "InternalError")
	simtest.ExpectEntries(t, sim, "not done")
	sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: "InternalError", After: true})
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"), "InternalError")
	simtest.ExpectEntries(t, sim, "done though it answered 500", "172.20.1.0/24 i-1 Available")
}

func TestDeniedNamesTheAction(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	sim.Fault(alisim.Fault{Code: "Forbidden.RAM"})
	a := simtest.Ask(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	if a.Status != http.StatusForbidden || a.At("AccessDeniedDetail", "AuthAction") != "vpc:CreateRouteEntry" {
		t.Errorf("%d %v", a.Status, a.Body)
	}
}

func TestFaultsBelowTheAPI(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	server := httptest.NewServer(sim.API())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without a proxy
	get := func() (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?Action=DescribeVpcs&Version=2016-04-28", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	sim.Fault(alisim.Fault{HTML: true})
	sim.Fault(alisim.Fault{HTML: true, Status: http.StatusRequestURITooLong})
	sim.Fault(alisim.Fault{Reset: true})
	for _, want := range []int{http.StatusBadGateway, http.StatusRequestURITooLong} {
		resp, err := get()
		if err != nil || resp.StatusCode != want || resp.Header.Get("Content-Type") != "text/html" {
			t.Errorf("want %d in HTML, got %v, %v", want, resp, err)
		}
	}
	if _, err := get(); err == nil {
		t.Error("the connection was not dropped")
	}
	if r := sim.Requests(); r[len(r)-1].Status != 0 {
		t.Errorf("dropped call is logged as %+v", r[len(r)-1])
	}
	if _, err := get(); err != nil {
		t.Error(err)
	}
}

func TestFaultDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{})
		sim.Fault(alisim.Fault{Delay: 7 * time.Second})
		start := time.Now()
		simtest.Good(t, sim, "DescribeVpcs", nil)
		if got := time.Since(start); got != 7*time.Second {
			t.Errorf("answered after %v", got)
		}
	})
}

func TestBadlySignedCallsMeetNoFault(t *testing.T) {
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Fault(alisim.Fault{Code: "ServiceUnavailable"})
	simtest.Bad(t, sim, "DescribeVpcs", nil, "MissingParameter")
	simtest.Bad(t, sim, "DescribeVpcs", simtest.Args{"AccessKeyId": "other"}, "InvalidAccessKeyId.NotFound")
	if a := simtest.Do(t, sim, simtest.Signed(func(url.Values) {})); a.Code() != "ServiceUnavailable" {
		t.Errorf("signed call: %v", a.Body)
	}
}
