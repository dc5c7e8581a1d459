package simtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
)

// Signed makes a request as an independent client would, with what the test changes.
func Signed(change func(url.Values)) *http.Request { return SignWith("testsecret", change) }

// SignedBy is signed with a temporary key.
func SignedBy(id, secret, token string) *http.Request {
	return SignWith(secret, func(v url.Values) {
		v.Set("AccessKeyId", id)
		v.Set("SignatureNonce", rand.Text())
		if token != "" {
			v.Set("SecurityToken", token)
		}
	})
}

// SignWith is a request of key testid, signed with a secret, after a change of its parameters.
func SignWith(secret string, change func(url.Values)) *http.Request {
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

// AskByPost sends a request as Terraform's provider does for all but route entries: what the
// gateway needs is in the query, in its own letter case, and the parameters are in a form.
// Both are signed together.
func AskByPost(t testing.TB, sim *alisim.Sim, version, action string, with Args) Answer {
	t.Helper()
	query := Args{
		"AccessKeyId": "testid", "Action": action, "Format": "json", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": rand.Text(), "Timestamp": time.Now().UTC().Format(time.RFC3339), "Version": version,
	}
	all := maps.Clone(query)
	maps.Copy(all, with)
	text := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(Encode(all))
	mac := hmac.New(sha1.New, []byte("testsecret&"))
	mac.Write([]byte("POST&%2F&" + url.QueryEscape(text)))
	query["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	r := httptest.NewRequest(http.MethodPost, "/?"+Encode(query), strings.NewReader(Encode(with)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", version)
	return Do(t, sim, r)
}

// NewKeyed starts a simulator that verifies signatures.
func NewKeyed(t testing.TB, opts alisim.Options, change ...func(*alisim.Seed)) *alisim.Sim {
	t.Helper()
	key := func(s *alisim.Seed) { s.Keys = alisim.Example().Keys }
	return New(t, opts, append(change, key)...)
}

// Encode writes parameters as a form.
func Encode(params Args) string {
	values := url.Values{}
	for k, v := range params {
		values.Set(k, v)
	}
	return values.Encode()
}

// OnlyFirstTable is a policy that lets change routes in one table.
const OnlyFirstTable = `{"Version":"1","Statement":[{"Effect":"Allow","Action":["vpc:CreateRouteEntry","vpc:CreateRouteEntries","vpc:DeleteRouteEntry"],` +
	`"Resource":["acs:vpc:cn-hangzhou:1000000000000001:routetable/vtb-1"]}]}`

// AskAs sends a signed call with these parameters.
func AskAs(t *testing.T, sim *alisim.Sim, id, secret string, with Args) Answer {
	t.Helper()
	r := SignWith(secret, func(v url.Values) {
		v.Set("AccessKeyId", id)
		v.Set("SignatureNonce", t.Name()+with["Action"]+with["RouteTableId"]+with["RouteEntryId"]+with["DestinationCidrBlock"])
		for name, value := range with {
			v.Set(name, value)
		}
	})
	return Do(t, sim, r)
}
