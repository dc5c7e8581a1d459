package alicloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/alisim"
)

// faults are all that the simulator offers, each field at least once, and the codes that
// say something of a key.
func faults() []alisim.Fault {
	list := []alisim.Fault{
		{Delay: time.Second},
		{Code: "Throttling.User", RetryAfter: 10 * time.Millisecond},
		{Code: "TaskConflict"},
		{Code: "QuotaExceeded"},
		{Code: "InternalError", After: true},
		{Code: "Some.Other", Status: 409},
		{HTML: true},
		{HTML: true, Status: http.StatusRequestURITooLong},
		{Reset: true},
		{Drop: true},
		{Reset: true, After: true},
		{Nothing: true},
		{Stick: true},
		{Vanish: true},
		{Hide: -1},
		{HidePage: true},
		{Fail: 1, FailCode: "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE"},
		{Fail: 1, Failures: alisim.Short},
		{Edits: []alisim.Edit{{Verb: alisim.RemoveEntry, Table: "vtb-1", Destination: subnet(2)}}},
		{Edits: []alisim.Edit{{Verb: alisim.PointEntry, Table: "vtb-1", Destination: subnet(2), NextHop: "i-3"}}, Every: time.Millisecond},
	}
	for _, code := range []string{
		"ServiceUnavailable", "SignatureDoesNotMatch", "SignatureNonceUsed", "IncompleteSignature", "InvalidTimeStamp.Expired",
		"InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive", "MissingSecurityToken", "InvalidSecurityToken.Expired",
		"InvalidSecurityToken.Malformed", "InvalidSecurityToken.MismatchWithAccessKey", "Forbidden.RAM", "Forbidden.AccessKeyDisabled",
	} {
		list = append(list, alisim.Fault{Code: code})
	}
	return list
}

func TestEveryFaultIsTried(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[alisim.Fault]()) {
		if slices.Contains([]string{"Name", "Action", "Match", "Skip", "Times"}, field.Name) {
			continue // which calls it strikes, not what it does
		}
		used := func(f alisim.Fault) bool { return !reflect.ValueOf(f).FieldByIndex(field.Index).IsZero() }
		if !slices.ContainsFunc(faults(), used) {
			t.Errorf("no fault of this test has the field %s", field.Name)
		}
	}
}

// echoes answer with what they were asked, as a gateway or a proxy in between may do.
func echoes() map[string]http.HandlerFunc {
	fail := func(status int, body func(asked string) any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body(asked(r)))
		}
	}
	raw := func(answer func(asked string) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			text := answer(asked(r))
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(connection, text)
			_ = connection.Close()
		}
	}
	return map[string]http.HandlerFunc{
		"in every field": fail(http.StatusBadRequest, func(asked string) any {
			return map[string]any{
				"RequestId": asked, "HostId": asked, "Code": asked, "Message": asked, "Recommend": asked,
				"AccessDeniedDetail": map[string]string{"AuthAction": asked},
			}
		}),
		"in the message": fail(http.StatusBadRequest, func(asked string) any {
			return map[string]any{"RequestId": "r", "HostId": "h", "Code": "InvalidParameter", "Message": "not understood: " + asked}
		}),
		"in the string to sign": fail(http.StatusBadRequest, func(asked string) any {
			return map[string]any{"RequestId": "r", "HostId": "h", "Code": "SignatureDoesNotMatch", "Message": "server string to sign is:" + url.QueryEscape(asked)}
		}),
		"with other types": fail(http.StatusBadRequest, func(asked string) any { return map[string]any{"Code": []string{asked}, "Message": 1} }),
		"as success":       fail(http.StatusOK, func(asked string) any { return map[string]any{"RequestId": []string{asked}, "Vpcs": asked} }),
		"in a failed item": func(w http.ResponseWriter, r *http.Request) {
			text := asked(r)
			_ = json.NewEncoder(w).Encode(map[string]any{"RequestId": "r", "FailedCount": 1, "FailedRouteEntries": []any{map[string]string{
				"RouteEntryId": r.Form.Get("RouteEntries.1.RouteEntryId"), "DstCidrBlock": r.Form.Get("RouteEntries.1.DstCidrBlock"),
				"NextHop": r.Form.Get("RouteEntries.1.NextHop"), "FailedCode": text, "FailedMessage": text,
			}}})
		},
		"in a page": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "<html>cannot get "+asked(r), http.StatusBadGateway)
		},
		"in a page, and no more": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, asked(r)) },
		"in a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1"+r.RequestURI, http.StatusFound)
		},
		"in the status line": raw(func(asked string) string { return "HTTP/1.1 " + asked + "\r\n\r\n" }),
		"in a broken header": raw(func(asked string) string { return "HTTP/1.1 200 OK\r\n" + asked + "\r\n\r\n" }),
		"in a broken length": raw(func(asked string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + asked + "\r\n\r\n" }),
	}
}

// asked is a request in full: its line and its parameters, escaped and as they are.
func asked(r *http.Request) string {
	_ = r.ParseForm()
	var text strings.Builder
	text.WriteString(r.RequestURI)
	for name, values := range r.Form {
		fmt.Fprintf(&text, " %s=%s", name, values[0])
	}
	return text.String()
}

func subnet(n byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, n, 0}), 24) }

func entry(n byte) api.Route {
	return api.Route{Table: "vtb-1", Destination: subnet(n), NextHop: "i-1", Mark: api.Mark{Cluster: "c", Host: "i-1"}}
}

// operations are all that a provider does.
func operations() map[string]func(context.Context, *alicloud.Provider) (any, error) {
	apply := func(change api.Change) func(context.Context, *alicloud.Provider) (any, error) {
		return func(ctx context.Context, p *alicloud.Provider) (any, error) {
			results, err := p.Apply(ctx, []api.Change{change}, cloud.Always)
			for _, r := range results {
				err = errors.Join(err, r.Err)
			}
			return results, err
		}
	}
	was, moved := entry(2), entry(2)
	moved.NextHop, moved.Mark.Host = "i-2", "i-2"
	return map[string]func(context.Context, *alicloud.Provider) (any, error){
		"network": func(ctx context.Context, p *alicloud.Provider) (any, error) { return p.Network(ctx) },
		"instances": func(ctx context.Context, p *alicloud.Provider) (any, error) {
			return p.Instances(ctx, []api.InstanceID{"i-1"})
		},
		"routes":  func(ctx context.Context, p *alicloud.Provider) (any, error) { return p.Routes(ctx, "vtb-1") },
		"create":  apply(api.Change{Verb: api.Create, Route: entry(1), Reason: api.ReasonNewSubnet}),
		"replace": apply(api.Change{Verb: api.Replace, Route: moved, Was: &was, Reason: api.ReasonMoved}),
		"delete":  apply(api.Change{Verb: api.Delete, Route: entry(3), Reason: api.ReasonHostLeft}),
		"source check": func(ctx context.Context, p *alicloud.Provider) (any, error) {
			return p.SetSourceCheck(ctx, "eni-1", false, cloud.Always)
		},
		"admit": func(ctx context.Context, p *alicloud.Provider) (any, error) {
			return nil, p.Admit(ctx, "sg-2", "c", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, cloud.Always)
		},
		"revoke": func(ctx context.Context, p *alicloud.Provider) (any, error) {
			return p.Revoke(ctx, "sg-1", "c", cloud.Always)
		},
	}
}

// sources are other places of credentials, good and broken ones.
func sources(t *testing.T) map[string]func(*alicloud.Config) {
	t.Helper()
	answer := fmt.Sprintf(`{"Code":"Success","AccessKeyId":%q,"AccessKeySecret":%q,"SecurityToken":%q,"Expiration":%q}`,
		canaryKey, canarySecret, canaryToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	all := map[string]func(*alicloud.Config){}
	for name, text := range map[string]string{
		"a file": answer, "a file with an error": answer[:len(answer)-1], "a file without names": strings.Join([]string{canaryKey, canarySecret, canaryToken}, "\n"),
		"a file of another type": "type = " + canaryToken + "\naccess_key_id = " + canaryKey + "\naccess_key_secret = " + canarySecret,
	} {
		path := filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all[name] = func(c *alicloud.Config) {
			c.AccessKeyID, c.AccessKeySecret, c.SecurityToken, c.CredentialsFile = "", "", "", path
		}
	}
	for name, reply := range map[string]func(http.ResponseWriter){
		"a role":               func(w http.ResponseWriter) { _, _ = io.WriteString(w, answer) },
		"a role with an error": func(w http.ResponseWriter) { _, _ = io.WriteString(w, answer[:len(answer)-1]) },
		"a role that failed": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, strings.Replace(answer, "Success", canaryToken, 1))
		},
		"a role with an error status": func(w http.ResponseWriter) { http.Error(w, answer, http.StatusInternalServerError) },
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				_, _ = io.WriteString(w, canaryToken) // of the metadata service: as secret as the others
				return
			}
			reply(w)
		}))
		t.Cleanup(server.Close)
		all[name] = func(c *alicloud.Config) {
			c.AccessKeyID, c.AccessKeySecret, c.SecurityToken, c.RoleName, c.MetadataURL = "", "", "", "r", server.URL
		}
	}
	return all
}
