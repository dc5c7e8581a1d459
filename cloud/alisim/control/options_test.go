package control_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestAnswersTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{ReadTime: time.Second, WriteTime: 2 * time.Second, TaskTime: 3 * time.Second})
		start := time.Now()
		at := func(want time.Duration, what string) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%s after %v, want %v", what, got, want)
			}
		}
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
		at(2*time.Second, "written")
		ends, _ := sim.Settles()
		if got := ends.Sub(start); got != 5*time.Second {
			t.Errorf("the task ends after %v", got)
		}
		simtest.Good(t, sim, "DescribeVpcs", nil)
		at(3*time.Second, "read")
		if r := sim.Requests(); r[1].Ended.Sub(r[1].At) != time.Second {
			t.Errorf("log: %+v", r[1])
		}
	})
}

func TestTaskTimeOfOneVPC(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		if err := sim.SetTaskTime("vpc-1", time.Minute); err != nil {
			t.Fatal(err)
		}
		simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
		time.Sleep(time.Minute - time.Nanosecond)
		simtest.ExpectEntries(t, sim, "just before", "172.20.1.0/24 i-1 Pending")
		time.Sleep(time.Nanosecond)
		simtest.ExpectEntries(t, sim, "then", "172.20.1.0/24 i-1 Available")
	})
}

func TestRatesThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{Rates: map[string]int{"DescribeVpcs": 2}})
		simtest.Good(t, sim, "DescribeVpcs", nil)
		time.Sleep(20 * time.Second)
		simtest.Good(t, sim, "DescribeVpcs", nil)
		a := simtest.Ask(t, sim, "DescribeVpcs", nil)
		if a.Code() != "Throttling.User" || a.Status != 400 || a.Header.Get("x-acs-retry-after") != "40000" {
			t.Errorf("%d %v %q", a.Status, a.Body, a.Header.Get("x-acs-retry-after"))
		}
		simtest.Good(t, sim, "DescribeVSwitches", simtest.Args{"VpcId": "vpc-1"})
		time.Sleep(40 * time.Second)
		simtest.Good(t, sim, "DescribeVpcs", nil)
	})
}

// TestReadings plays each question both ways: codes, "" is accepted.
func TestReadings(t *testing.T) {
	six := func(s *alisim.Seed) {
		s.VPCs[0].IPv6 = netip.MustParsePrefix("2001:db8::/56")
		s.VPCs[0].VSwitches[0].IPv6 = netip.MustParsePrefix("2001:db8::/64")
		s.Instances[0].IPv6 = []netip.Addr{netip.MustParseAddr("2001:db8::11")}
		s.VPCs[0].Tables[0].Quota = 1
	}
	single := func(destination, table, hop, kind string) func(*testing.T, *alisim.Sim) string {
		return func(t *testing.T, sim *alisim.Sim) string {
			return simtest.Ask(t, sim, "CreateRouteEntry", simtest.Args{
				"RouteTableId": table, "DestinationCidrBlock": destination, "NextHopId": hop, "NextHopType": kind,
			}).Code()
		}
	}
	items := func(lines ...string) func(*testing.T, *alisim.Sim) string {
		return func(t *testing.T, sim *alisim.Sim) string {
			a := simtest.Ask(t, sim, "CreateRouteEntries", simtest.BatchArgs(lines...))
			code, _ := a.At("FailedRouteEntries", 0, "FailedCode").(string)
			return a.Code() + code
		}
	}
	tests := map[string]struct {
		set         func(*alisim.Readings, alisim.Reading)
		do          func(*testing.T, *alisim.Sim) string
		usual       string
		reading     alisim.Reading
		then        string
		statusCheck int
	}{
		"containing, single":  {func(r *alisim.Readings, v alisim.Reading) { r.Containing = v }, single("192.168.0.0/16", "vtb-1", "i-1", "Instance"), "", alisim.Refuse, "InvalidCidrBlock", 0},
		"containing, batch":   {func(r *alisim.Readings, v alisim.Reading) { r.Containing = v }, items("vtb-1 192.168.0.0/16 i-1"), "InvalidCidrBlock", alisim.Allow, "", 0},
		"service range":       {func(r *alisim.Readings, v alisim.Reading) { r.InService = v }, single("100.64.1.0/24", "vtb-1", "i-1", "Instance"), "InvalidDestinationCidrBlock", alisim.Allow, "", 0},
		"public space":        {func(r *alisim.Readings, v alisim.Reading) { r.PublicSpace = v }, single("203.0.113.0/24", "vtb-1", "i-1", "Instance"), "", alisim.Refuse, "FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY", 0},
		"host bits":           {func(r *alisim.Readings, v alisim.Reading) { r.HostBits = v }, single("172.20.1.1/24", "vtb-1", "i-1", "Instance"), "InvalidCidrBlock.Malformed", alisim.Clamp, "", 0},
		"quota of a batch":    {func(r *alisim.Readings, v alisim.Reading) { r.BatchQuota = v }, items("vtb-1 172.20.1.0/24 i-1", "vtb-1 172.20.2.0/24 i-1"), "QuotaExceeded", alisim.Refuse, "QuotaExceeded", 400},
		"IPv6 in a table":     {func(r *alisim.Readings, v alisim.Reading) { r.IPv6Custom = v }, single("fd00::/64", "vtb-2", "i-1", "Instance"), "", alisim.Refuse, "OperationDenied.Ipv6EntryOnCustomTable", 0},
		"a primary interface": {func(r *alisim.Readings, v alisim.Reading) { r.PrimaryENI = v }, single("172.20.1.0/24", "vtb-1", "eni-1", "NetworkInterface"), "", alisim.Refuse, "InvalidNexthop.DirectEni", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.do(t, simtest.New(t, alisim.Options{}, six)); got != tt.usual {
				t.Errorf("by default: %q, want %q", got, tt.usual)
			}
			var o alisim.Options
			tt.set(&o.Readings, tt.reading)
			sim := simtest.New(t, o, six)
			if got := tt.do(t, sim); got != tt.then {
				t.Errorf("read as %s: %q, want %q", tt.reading, got, tt.then)
			}
			if r := sim.Requests(); tt.statusCheck != 0 && r[0].Status != tt.statusCheck {
				t.Errorf("read as %s: HTTP %d", tt.reading, r[0].Status)
			}
		})
	}
}

func TestReadingsOfOtherCalls(t *testing.T) {
	sim := simtest.New(t, alisim.Options{Readings: alisim.Readings{WrongHop: alisim.Allow, NewEntryID: alisim.Allow, BatchForm: alisim.Refuse}})
	before := simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24")).At("RouteEntryId")
	at := simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NewNextHopId": "i-2"}
	simtest.Good(t, sim, "ModifyRouteEntry", at)
	if r := sim.Routes("vtb-1"); r[len(r)-1].ID == before {
		t.Error("the entry kept its id")
	}
	simtest.Good(t, sim, "DeleteRouteEntry", simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.1.0/24", "NextHopId": "i-3"})
	form := url.Values{}
	for k, v := range simtest.BatchArgs("vtb-1 172.20.2.0/24 i-1") {
		form.Set(k, v)
	}
	r := httptest.NewRequest(http.MethodPost, "/?Action=CreateRouteEntries&Version=2016-04-28", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := simtest.Do(t, sim, r); a.Code() != "MissingParameter" {
		t.Errorf("form items were seen: %v", a.Body)
	}
}

func TestStatesHaveTheirCodes(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for id, code := range map[string]string{
		"vpc-1": "IncorrectVpcStatus", "vsw-2": "IncorrectVSwitchStatus", "vtb-1": "IncorrectStatus.RouteTableStatus",
	} {
		if err := sim.SetState(id, alisim.Pending); err != nil {
			t.Fatal(err)
		}
		simtest.Bad(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"), code)
		simtest.Bad(t, sim, "CreateRouteEntries", simtest.BatchArgs("vtb-1 172.20.1.0/24 i-1"), code)
		if err := sim.SetState(id, alisim.Available); err != nil {
			t.Fatal(err)
		}
	}
	simtest.Good(t, sim, "CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	if sim.SetState("nothing", alisim.Pending) == nil {
		t.Error("the state of nothing was set")
	}
}

func TestNewInstanceIsUnknownForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{UnknownTime: 5 * time.Second})
		if err := sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.99")}); err != nil {
			t.Fatal(err)
		}
		to := simtest.EntryArgs("172.20.1.0/24")
		to["NextHopId"] = "i-9"
		simtest.Bad(t, sim, "CreateRouteEntry", to, "IllegalParam.NextHopId")
		time.Sleep(5 * time.Second)
		simtest.Good(t, sim, "CreateRouteEntry", to)
	})
}

func TestMemoriesAreSettable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TokenMemory: time.Minute, PageTime: 10 * time.Second})
		first := simtest.EntryArgs("172.20.1.0/24")
		first["ClientToken"] = "token-1"
		id := simtest.Good(t, sim, "CreateRouteEntry", first).At("RouteEntryId")
		list := simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "1"}
		list["NextToken"], _ = simtest.Good(t, sim, "DescribeRouteEntryList", list).At("NextToken").(string)
		time.Sleep(10 * time.Second)
		simtest.Bad(t, sim, "DescribeRouteEntryList", list, "IllegalParam.NextTokenExpired")
		if got := simtest.Good(t, sim, "CreateRouteEntry", first).At("RouteEntryId"); got != id {
			t.Errorf("remembered as %v, want %v", got, id)
		}
		time.Sleep(time.Minute)
		simtest.Bad(t, sim, "CreateRouteEntry", first, "InvalidCIDRBlock.Duplicate")
	})
}

func TestRequestLogIsJSONLines(t *testing.T) {
	var log bytes.Buffer
	sim := simtest.New(t, alisim.Options{RequestLog: &log, LongestURI: 200})
	simtest.Good(t, sim, "DescribeVpcs", simtest.Args{"SecurityToken": "canary", "Signature": "canary"})
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?Action=DescribeVpcs&x="+strings.Repeat("y", 200), nil))
	if w.Code != http.StatusRequestURITooLong {
		t.Errorf("long line: %d", w.Code)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || strings.Contains(lines[0], "canary") {
		t.Fatalf("log: %q", lines)
	}
	var r alisim.Request
	if err := json.Unmarshal([]byte(lines[0]), &r); err != nil || r.Action != "DescribeVpcs" || r.Status != 200 || r.Ended.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}
