package call_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestAuthentication(t *testing.T) {
	set := func(name, value string) func(url.Values) {
		return func(v url.Values) {
			if v.Del(name); value != "" {
				v.Set(name, value)
			}
		}
	}
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05Z") }
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			change func(url.Values)
			status int
			code   string
		}{
			{"good", func(url.Values) {}, 200, ""},
			{"no key", set("AccessKeyId", ""), 400, "MissingParameter"},
			{"unknown key", set("AccessKeyId", "other"), 404, "InvalidAccessKeyId.NotFound"},
			{"no nonce", set("SignatureNonce", ""), 400, "MissingParameter"},
			{"other method", set("SignatureMethod", "HMAC-MD5"), 400, "IncompleteSignature"},
			{"wrong signature", set("Signature", "AAAA"), 400, "SignatureDoesNotMatch"},
			{"time without form", set("Timestamp", "yesterday"), 400, "InvalidTimeStamp.Format"},
			{"slow by 15 minutes", set("Timestamp", at(-15*time.Minute)), 200, ""},
			{"slow by more", set("Timestamp", at(-15*time.Minute-time.Second)), 400, "InvalidTimeStamp.Expired"},
			{"fast by more", set("Timestamp", at(15*time.Minute+time.Second)), 400, "InvalidTimeStamp.Expired"},
		} {
			sim, err := alisim.New(alisim.Example(), alisim.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if a := simtest.Do(t, sim, simtest.Signed(tt.change)); a.Status != tt.status || a.Code() != tt.code {
				t.Errorf("%s: %d %q, want %d %q", tt.name, a.Status, a.Code(), tt.status, tt.code)
			}
		}
	})
}

func TestReplayIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := alisim.New(alisim.Example(), alisim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		same := func(url.Values) {}
		simtest.Do(t, sim, simtest.Signed(same))
		if a := simtest.Do(t, sim, simtest.Signed(same)); a.Code() != "SignatureNonceUsed" {
			t.Errorf("replay: %v", a.Body)
		}
		time.Sleep(time.Hour)
		if a := simtest.Do(t, sim, simtest.Signed(same)); a.Code() != "" {
			t.Errorf("same nonce an hour later: %v", a.Body)
		}
	})
}

func TestStrictRefusesWhoeverHasNoKey(t *testing.T) {
	sim := simtest.New(t, alisim.Options{Strict: true})
	simtest.Bad(t, sim, "DescribeVpcs", nil, "MissingParameter")
	simtest.Bad(t, sim, "DescribeVpcs", simtest.Args{"AccessKeyId": "testid"}, "InvalidAccessKeyId.NotFound")
}

func TestParametersComeFromAnywhere(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	form := func(query, body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/any/path?"+query, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	headers := httptest.NewRequest(http.MethodPost, "/?VpcId=vpc-1", nil)
	headers.Header.Set("x-acs-action", "DescribeVpcAttribute")
	headers.Header.Set("x-acs-version", "2016-04-28")
	for name, r := range map[string]*http.Request{
		"all in the query":    form("Action=DescribeVpcAttribute&Version=2016-04-28&VpcId=vpc-1&Format=JSON", ""),
		"all in the form":     form("", "Action=DescribeVpcAttribute&Version=2016-04-28&VpcId=vpc-1&Format=json"),
		"as Terraform mixes":  form("Action=DescribeVpcAttribute&Version=2016-04-28&Format=json", "VpcId=vpc-1"),
		"action in a header":  headers,
		"GET and no format":   httptest.NewRequest(http.MethodGet, "/?Action=DescribeVpcAttribute&Version=2016-04-28&VpcId=vpc-1", nil),
		"spaces written as +": form("Action=DescribeVpcAttribute&Version=2016-04-28&VpcId=vpc-1&Extra=a+b", ""),
	} {
		if a := simtest.Do(t, sim, r); a.Status != http.StatusOK || a.At("VpcId") != "vpc-1" {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
}

func TestNewerSignatureIsOnlyAskedForItsKey(t *testing.T) {
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"testid": "", "other": "InvalidAccessKeyId.NotFound"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("x-acs-action", "DescribeVpcs")
		r.Header.Set("x-acs-version", "2016-04-28")
		r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+key+",SignedHeaders=host;x-acs-date,Signature=00")
		if a := simtest.Do(t, sim, r); a.Code() != want {
			t.Errorf("key %s: %q, want %q", key, a.Code(), want)
		}
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for query, want := range map[string]string{
		"":                                     "MissingParameter",
		"Action=DescribeVpcs":                  "MissingParameter",
		"Version=2016-04-28":                   "MissingParameter",
		"Action=DescribeVpcs&Version=2001-1-1": "InvalidVersion",
		"Action=Nothing&Version=2016-04-28":    "InvalidAction.NotFound",
		"Action=DescribeVpcs&Version=2016-04-28&RegionId=elsewhere": "InvalidRegionId.NotFound",
		"Action=DescribeVpcs&Version=2016-04-28&Format=XML":         "IllegalParam.Format",
		"Action=%zz": "InvalidParameter",
	} {
		if a := simtest.Do(t, sim, httptest.NewRequest(http.MethodGet, "/?"+query, nil)); a.Code() != want {
			t.Errorf("%q: %q, want %q", query, a.Code(), want)
		}
	}
	if a := simtest.Do(t, sim, httptest.NewRequest(http.MethodDelete, "/", nil)); a.Code() != "UnsupportedHTTPMethod" {
		t.Errorf("DELETE: %v", a.Body)
	}
}

func TestErrorBody(t *testing.T) {
	a := simtest.AskECS(t, simtest.New(t, alisim.Options{}), "DescribeSecurityGroupAttribute", simtest.Args{"SecurityGroupId": "sg-9"})
	if !regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`).MatchString(a.At("RequestId").(string)) {
		t.Errorf("request id is %v", a.At("RequestId"))
	}
	for _, name := range []string{"HostId", "Code", "Message", "Recommend"} {
		if text, ok := a.At(name).(string); !ok || text == "" {
			t.Errorf("%s is %v", name, a.At(name))
		}
	}
	if a.At("HostId") != "ecs.cn-hangzhou.aliyuncs.com" || a.Status != http.StatusNotFound {
		t.Errorf("%d %v", a.Status, a.Body)
	}
}

func TestLongRequestLineIsRefusedInHTML(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?X="+strings.Repeat("x", 17<<10), nil))
	if w.Code != http.StatusRequestURITooLong || !strings.HasPrefix(w.Body.String(), "<html>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRequestsAreLogged(t *testing.T) {
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := simtest.Do(t, sim, simtest.Signed(func(v url.Values) { v.Set("VpcId", "vpc-1") }))
	simtest.Do(t, sim, simtest.Signed(func(v url.Values) { v.Set("AccessKeyId", "other") }))
	got := sim.Requests()
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Fatalf("log is %+v", got)
	}
	if r := got[0]; r.Action != "DescribeVpcs" || r.Key != "testid" || r.Status != 200 || r.Code != "" ||
		r.Params["VpcId"] != "vpc-1" || r.ID != a.At("RequestId") {
		t.Errorf("first is %+v", r)
	}
	if r := got[1]; r.Status != 404 || r.Code != "InvalidAccessKeyId.NotFound" {
		t.Errorf("second is %+v", r)
	}
	for _, r := range got {
		if r.Params["Signature"] != "" || r.Params["SecurityToken"] != "" {
			t.Errorf("a secret is in the log: %+v", r)
		}
	}
	sim.Reset()
	simtest.Do(t, sim, simtest.Signed(func(v url.Values) { v.Set("SignatureNonce", "n-2") }))
	if got := sim.Requests(); len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("after Reset: %+v", got)
	}
}

// FuzzRequest looks for requests that make the simulator panic or answer something other
// than JSON with a request id.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "Action=DescribeVpcs&Version=2016-04-28", "")
	f.Add("POST", "Action=CreateRouteEntries&Version=2016-04-28", "RouteEntries.1.RouteTableId=vtb-1&RouteEntries.1.DstCidrBlock=10.9.0.0/24&RouteEntries.1.NextHop=i-1&RouteEntries.1.NextHopType=Instance")
	f.Add("POST", "Action=CreateRouteEntry&Version=2016-04-28&RouteTableId=vtb-1&DestinationCidrBlock=0.0.0.0/0&NextHopId=i-1&ClientToken=x", "")
	f.Add("GET", "Action=DescribeRouteEntryList&Version=2016-04-28&RouteTableId=vtb-1&MaxResult=1&NextToken=MS4xLjE", "")
	f.Add("GET", "Action=DescribeInstances&Version=2014-05-26&InstanceIds=[\"i-1\"]&MaxResults=-1", "")
	f.Add("GET", "Action=AuthorizeSecurityGroup&Version=2014-05-26&SecurityGroupId=sg-1&Permissions.1.SourceCidrIp=::/0", "")
	f.Add("GET", "Action=DescribeVSwitches&Version=2016-04-28&RegionId=cn-hangzhou&PageNumber=99999&PageSize=50", "")
	f.Fuzz(func(t *testing.T, method, query, body string) {
		sim := simtest.New(t, alisim.Options{})
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := simtest.Do(t, sim, r)
		if id, _ := a.At("RequestId").(string); id == "" {
			t.Errorf("no request id: %d %v", a.Status, a.Body)
		}
		if (a.Status == http.StatusOK) != (a.Code() == "") || a.Status == http.StatusInternalServerError {
			t.Errorf("%d with code %q", a.Status, a.Code())
		}
	})
}
