package control_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestControlOfFaults(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	status, got := simtest.AskControl(t, sim, "POST", "/v1/faults", `{"name":"slow","action":"DescribeVpcs","code":"Throttling.User","retryAfter":"1.5s","times":2,`+
		`"edits":[{"verb":"add","table":"vtb-1","destination":"172.20.9.0/24","nextHop":"i-2"}]}`)
	if status != 200 || got != `{"name":"slow"}` {
		t.Fatalf("%d %s", status, got)
	}
	if a := simtest.Ask(t, sim, "DescribeVpcs", nil); a.Header.Get("x-acs-retry-after") != "1500" {
		t.Errorf("%v %v", a.Body, a.Header)
	}
	want := `{"name":"slow","action":"DescribeVpcs","times":2,"code":"Throttling.User",` +
		`"edits":[{"verb":"add","table":"vtb-1","destination":"172.20.9.0/24","nextHop":"i-2"}],"retryAfter":"1.5s","hits":1,"left":1}`
	if status, got := simtest.AskControl(t, sim, "GET", "/v1/faults/slow", ""); status != 200 || got != want {
		t.Errorf("%d\n%s\n%s", status, got, want)
	}
	for _, body := range []string{
		`{"times":"x"}`, `{"nonsense":1}`, `{} {}`, `{"delay":"-1s"}`, `{"status":700}`, `{"every":"1s"}`, `{"failures":"lost"}`,
		`{"edits":[{"verb":"turn","table":"vtb-1","destination":"172.20.9.0/24"}]}`, `{"edits":[{"verb":"add","table":"vtb-1"}]}`,
	} {
		if status, got := simtest.AskControl(t, sim, "POST", "/v1/faults", body); status != 400 || !strings.Contains(got, `"error"`) {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	for _, want := range []int{204, 404} {
		if status, _ := simtest.AskControl(t, sim, "DELETE", "/v1/faults/slow", ""); status != want {
			t.Errorf("removed with %d, want %d", status, want)
		}
	}
	sim.Fault(alisim.Fault{})
	simtest.AskControl(t, sim, "DELETE", "/v1/faults", "")
	if status, got := simtest.AskControl(t, sim, "GET", "/v1/faults", ""); status != 200 || got != "[]" {
		t.Errorf("%d %s", status, got)
	}
}

func TestControlOfTheWorld(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/world/instances", `{"id":"i-9","vswitch":"vsw-1","ip":"192.168.0.99","interfaces":[{"id":"eni-x","ip":"192.168.0.98"}]}`, 204},
		{"POST", "/v1/world/instances", `{"id":"i-9","vswitch":"vsw-1","ip":"192.168.0.99"}`, 409},
		{"PUT", "/v1/world/instances/i-9/status", `{"status":"Stopped"}`, 204},
		{"PUT", "/v1/world/instances/i-8/status", `{"status":"Stopped"}`, 404},
		{"PUT", "/v1/world/interfaces/eni-x/source-dest-check", `{"on":true}`, 204},
		{"PUT", "/v1/world/interfaces/i-9/security-groups", `{"groups":["sg-1"]}`, 204},
		{"POST", "/v1/world/edits", `{"verb":"add","table":"vtb-1","destination":"172.20.1.0/24","nextHop":"i-9"}`, 204},
		{"POST", "/v1/world/edits", `{"verb":"add","table":"vtb-1","destination":"172.20.1.0/24","nextHop":"i-9"}`, 409},
		{"DELETE", "/v1/world/instances/i-9", "", 409},
		{"GET", "/v1/world/tables/vtb-1/routes", "", 200},
		{"GET", "/v1/world/tables/vtb-9/routes", "", 404},
		{"PUT", "/v1/world/tables/vtb-1/quota", `{"entries":1}`, 204},
		{"POST", "/v1/world/vpcs/vpc-1/tables", `{"id":"vtb-3","name":"third"}`, 204},
		{"POST", "/v1/world/vpcs/vpc-1/vswitches", `{"id":"vsw-3","cidr":"192.168.32.0/20"}`, 204},
		{"PUT", "/v1/world/vswitches/vsw-3/table", `{"table":"vtb-3"}`, 204},
		{"PUT", "/v1/world/vpcs/vpc-1/security-groups", `{"id":"sg-2","type":"enterprise"}`, 204},
		{"PUT", "/v1/world/vpcs/vpc-1/task-time", `{"taskTime":"9s"}`, 204},
		{"PUT", "/v1/world/states/vtb-3", `{"state":"Pending"}`, 204},
		{"PUT", "/v1/settings", `{"taskTime":"3s","rates":{"DescribeVpcs":5},"readings":{"longPage":"refuse"}}`, 200},
		{"PUT", "/v1/settings", `{"readings":{"longPage":"maybe"}}`, 400},
		{"DELETE", "/v1/world/instances/i-9?reclaim=true", "", 204},
		{"GET", "/v1/nothing", "", 404},
	} {
		if status, got := simtest.AskControl(t, sim, tt.method, tt.path, tt.body); status != tt.status {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.body, status, got, tt.status)
		}
	}
	if o := sim.Options(); o.TaskTime.Seconds() != 3 || o.Rates["DescribeVpcs"] != 5 || o.Readings.LongPage != alisim.Refuse || o.PageTime.Minutes() != 10 {
		t.Errorf("options: %+v", o)
	}
	_, got := simtest.AskControl(t, sim, "GET", "/v1/world", "")
	var world alisim.Seed
	if err := json.Unmarshal([]byte(got), &world); err != nil {
		t.Fatal(err)
	}
	v := world.VPCs[0]
	if len(world.Instances) != 3 || v.VSwitches[2].Table != "vtb-3" || v.Tables[0].Quota != 1 || time.Duration(v.TaskTime) != 9*time.Second || v.SecurityGroups[1].InnerAccess != "Drop" {
		t.Errorf("world: %s", got)
	}
	simtest.Bad(t, sim, "CreateRouteEntry", simtest.Args{"RouteTableId": "vtb-3", "DestinationCidrBlock": "172.20.1.0/24", "NextHopId": "i-1"}, "IncorrectStatus.RouteTableStatus")
}

func TestControlOfTheLog(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for _, action := range []string{"DescribeVpcs", "DescribeVRouters", "DescribeVpcs"} {
		simtest.Good(t, sim, action, nil)
	}
	list := func(query string) (out []alisim.Request) {
		_, got := simtest.AskControl(t, sim, "GET", "/v1/requests"+query, "")
		if err := json.Unmarshal([]byte(got), &out); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		return out
	}
	if a, b, c := list("?action=DescribeVpcs"), list("?after=2"), list("?last=1"); len(a) != 2 || len(b) != 1 || b[0].Seq != 3 || c[0].Seq != 3 {
		t.Errorf("%v, %v, %v", a, b, c)
	}
	if _, got := simtest.AskControl(t, sim, "GET", "/v1/counts", ""); got != `{"DescribeVRouters":1,"DescribeVpcs":2}` {
		t.Errorf("counts %s", got)
	}
	if simtest.AskControl(t, sim, "DELETE", "/v1/requests", ""); len(list("")) != 0 {
		t.Error("the log was not emptied")
	}
	var certificate struct{ PEM string }
	_, got := simtest.AskControl(t, sim, "GET", "/v1/identity-certificate", "")
	if err := json.Unmarshal([]byte(got), &certificate); err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode([]byte(certificate.PEM)); block == nil {
		t.Errorf("certificate %q", got)
	}
}

func TestControlIsOnLoopbackOnly(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for name, change := range map[string]func(*http.Request){
		"from afar":         func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4000" },
		"by another's name": func(r *http.Request) { r.Host = "page.example:8991" },
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8991/v1/faults", nil)
		r.RemoteAddr = "127.0.0.1:40000"
		change(r)
		w := httptest.NewRecorder()
		if sim.Admin().ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8991/v1/faults", strings.NewReader("{}"))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Content-Type", "text/plain") // what a page could send without being asked
	w := httptest.NewRecorder()
	if sim.Admin().ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("plain text: %d", w.Code)
	}
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "nowhere"} {
		if _, err := alisim.ListenAdmin(t.Context(), address); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", address, err)
		}
	}
	listener, err := alisim.ListenAdmin(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestPolicyByTheAdminEndpoint(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.Keys = alisim.Example().Keys })
	put := func(body string, want int) {
		t.Helper()
		if status, got := simtest.AskControl(t, sim, "PUT", "/v1/policies/testid", body); status != want {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	put(simtest.OnlyFirstTable, 204)
	if a := simtest.AskAs(t, sim, "testid", "testsecret", simtest.Args{"Action": "DescribeVpcs"}); a.Code() != "Forbidden.RAM" {
		t.Errorf("with the policy: %v", a.Body)
	}
	put(`{"Version":"7"}`, 400)
	put("null", 204)
	if a := simtest.AskAs(t, sim, "testid", "testsecret", simtest.Args{"Action": "DescribeVRouters"}); a.Code() != "" {
		t.Errorf("without it: %v", a.Body)
	}
	if text := fmt.Sprintf("%v %+v %#v", alisim.Example().Keys, alisim.Example().Keys[0], alisim.Example().Keys[0]); strings.Contains(text, "testsecret") {
		t.Error("a key prints its secret")
	}
}
