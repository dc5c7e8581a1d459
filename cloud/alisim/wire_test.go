package alisim_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
)

// signed makes a request as an independent client would, with what the test changes.
func signed(change func(url.Values)) *http.Request { return signWith("testsecret", change) }

// signedBy is signed with a temporary key.
func signedBy(id, secret, token string) *http.Request {
	return signWith(secret, func(v url.Values) {
		v.Set("AccessKeyId", id)
		v.Set("SignatureNonce", rand.Text())
		if token != "" {
			v.Set("SecurityToken", token)
		}
	})
}

func signWith(secret string, change func(url.Values)) *http.Request {
	v := url.Values{
		"Action": {"DescribeVpcs"}, "Version": {"2016-04-28"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"},
		"AccessKeyId": {"testid"}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureType": {""},
		"SignatureNonce": {"n-1"}, "Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	change(v)
	text := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(v.Encode())
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte("GET&%2F&" + url.QueryEscape(text)))
	if v.Get("Signature") == "" {
		v.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return httptest.NewRequest(http.MethodGet, "/?"+v.Encode(), nil)
}

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
			if a := do(t, sim, signed(tt.change)); a.status != tt.status || a.code() != tt.code {
				t.Errorf("%s: %d %q, want %d %q", tt.name, a.status, a.code(), tt.status, tt.code)
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
		do(t, sim, signed(same))
		if a := do(t, sim, signed(same)); a.code() != "SignatureNonceUsed" {
			t.Errorf("replay: %v", a.body)
		}
		time.Sleep(time.Hour)
		if a := do(t, sim, signed(same)); a.code() != "" {
			t.Errorf("same nonce an hour later: %v", a.body)
		}
	})
}

func TestStrictRefusesWhoeverHasNoKey(t *testing.T) {
	sim := newSim(t, alisim.Options{Strict: true})
	bad(t, sim, "DescribeVpcs", nil, "MissingParameter")
	bad(t, sim, "DescribeVpcs", args{"AccessKeyId": "testid"}, "InvalidAccessKeyId.NotFound")
}

func TestParametersComeFromAnywhere(t *testing.T) {
	sim := newSim(t, alisim.Options{})
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
		if a := do(t, sim, r); a.status != http.StatusOK || a.at("VpcId") != "vpc-1" {
			t.Errorf("%s: %d %v", name, a.status, a.body)
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
		if a := do(t, sim, r); a.code() != want {
			t.Errorf("key %s: %q, want %q", key, a.code(), want)
		}
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	sim := newSim(t, alisim.Options{})
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
		if a := do(t, sim, httptest.NewRequest(http.MethodGet, "/?"+query, nil)); a.code() != want {
			t.Errorf("%q: %q, want %q", query, a.code(), want)
		}
	}
	if a := do(t, sim, httptest.NewRequest(http.MethodDelete, "/", nil)); a.code() != "UnsupportedHTTPMethod" {
		t.Errorf("DELETE: %v", a.body)
	}
}

func TestErrorBody(t *testing.T) {
	a := askECS(t, newSim(t, alisim.Options{}), "DescribeSecurityGroupAttribute", args{"SecurityGroupId": "sg-9"})
	if !regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`).MatchString(a.at("RequestId").(string)) {
		t.Errorf("request id is %v", a.at("RequestId"))
	}
	for _, name := range []string{"HostId", "Code", "Message", "Recommend"} {
		if text, ok := a.at(name).(string); !ok || text == "" {
			t.Errorf("%s is %v", name, a.at(name))
		}
	}
	if a.at("HostId") != "ecs.cn-hangzhou.aliyuncs.com" || a.status != http.StatusNotFound {
		t.Errorf("%d %v", a.status, a.body)
	}
}

func TestLongRequestLineIsRefusedInHTML(t *testing.T) {
	sim := newSim(t, alisim.Options{})
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
	a := do(t, sim, signed(func(v url.Values) { v.Set("VpcId", "vpc-1") }))
	do(t, sim, signed(func(v url.Values) { v.Set("AccessKeyId", "other") }))
	got := sim.Requests()
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Fatalf("log is %+v", got)
	}
	if r := got[0]; r.Action != "DescribeVpcs" || r.Key != "testid" || r.Status != 200 || r.Code != "" ||
		r.Params["VpcId"] != "vpc-1" || r.ID != a.at("RequestId") {
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
	do(t, sim, signed(func(v url.Values) { v.Set("SignatureNonce", "n-2") }))
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
		sim := newSim(t, alisim.Options{})
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := do(t, sim, r)
		if id, _ := a.at("RequestId").(string); id == "" {
			t.Errorf("no request id: %d %v", a.status, a.body)
		}
		if (a.status == http.StatusOK) != (a.code() == "") || a.status == http.StatusInternalServerError {
			t.Errorf("%d with code %q", a.status, a.code())
		}
	})
}
