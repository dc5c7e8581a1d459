package metadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// values is what the service of an instance answers.
func values() map[string]string {
	return map[string]string{
		"instance-id": "i-bp1abc", "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-h", "vpc-id": "vpc-bp1abc",
		"vswitch-id": "vsw-bp1abc", "private-ipv4": "192.168.0.11", "mac": "00:16:3e:00:00:11", "hostname": "web-1",
	}
}

// serve answers GETs that carry the token; token 0 means that tokens are not known.
func serve(t *testing.T, values map[string]string, tokenStatus int) Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+tokenPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(headerTTL) == "" {
			t.Error("no lifetime asked for")
		}
		w.WriteHeader(tokenStatus)
		_, _ = fmt.Fprint(w, "token-1")
	})
	mux.HandleFunc("GET "+dataPath+"{path...}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(headerToken) != "token-1" {
			t.Errorf("%s asked for without the token", r.URL.Path)
		}
		value, ok := values[r.PathValue("path")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintln(w, value)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return Client{URL: server.URL}
}

func TestIdentity(t *testing.T) {
	// Whatever these name, it is not asked.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	got, err := serve(t, values(), http.StatusOK).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{
		Instance: "i-bp1abc", Region: "cn-hangzhou", Zone: "cn-hangzhou-h", VPC: "vpc-bp1abc", VSwitch: "vsw-bp1abc",
		IP: netip.MustParseAddr("192.168.0.11"), MAC: "00:16:3e:00:00:11", Hostname: "web-1",
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The simulator tells callers apart by their address; these all come from one instance.
func TestIdentityFromTheSimulator(t *testing.T) {
	seed := alisim.Example()
	seed.Instances[1].HTTPTokens = "required"
	sim, err := alisim.New(seed, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = seed.Instances[1].IP.String() + ":40000"
		sim.Metadata().ServeHTTP(w, r)
	}))
	defer server.Close()
	got, err := Client{URL: server.URL}.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Instance != "i-2" || got.VPC != "vpc-1" || got.VSwitch != "vsw-1" || got.IP != seed.Instances[1].IP || got.Region != "cn-hangzhou" {
		t.Errorf("got %+v", got)
	}
}

func TestIdentityIsStrict(t *testing.T) {
	for path, bad := range map[string][]string{
		"instance-id":  {"", "web-1", "i-", "i-a b", "i-a/../b", "<html>", "i-" + strings.Repeat("a", 70)},
		"region-id":    {"", "cn hangzhou", "cn/hangzhou"},
		"vpc-id":       {"", "i-bp1abc"},
		"vswitch-id":   {"", "vpc-bp1abc"},
		"private-ipv4": {"", "192.168.0", "0.0.0.0", "127.0.0.1", "fd00::1", "192.168.0.11\n192.168.0.12"},
		"mac":          {"", "00:16"},
		"hostname":     {"", "web 1"},
	} {
		for _, value := range bad {
			v := values()
			v[path] = value
			if _, err := serve(t, v, http.StatusOK).Identity(t.Context()); !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%s %q: got %v, want ErrInvalid", path, value, err)
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("%s %q: the error does not name it: %v", path, value, err)
			}
		}
	}
}

func TestTooLong(t *testing.T) {
	v := values()
	v["hostname"] = strings.Repeat("a", maxBody+1)
	if _, err := serve(t, v, http.StatusOK).Identity(t.Context()); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("got %v", err)
	}
}

func TestMissingValue(t *testing.T) {
	v := values()
	delete(v, "vpc-id")
	if _, err := serve(t, v, http.StatusOK).Identity(t.Context()); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// No status of the token request leads to a request without one: serve would report it.
func TestTokenIsRequired(t *testing.T) {
	for status, want := range map[int]error{
		http.StatusNotFound: api.ErrUnsupported, http.StatusForbidden: api.ErrDenied,
		http.StatusTooManyRequests: api.ErrThrottled, http.StatusInternalServerError: api.ErrUnreachable,
		http.StatusFound: api.ErrInvalid,
	} {
		if _, err := serve(t, values(), status).Identity(t.Context()); !errors.Is(err, want) {
			t.Errorf("status %d: got %v, want %v", status, err, want)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Client{URL: "http://" + address}.Identity(t.Context())
	if !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), "is this an ECS instance") {
		t.Errorf("got %v", err)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := serve(t, values(), http.StatusOK).Identity(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

const canary = "canary-secret"

func TestRoleCredentials(t *testing.T) {
	v := values()
	v["ram/security-credentials/sealane"] = `{"Code":"Success","AccessKeyId":"STS.1","AccessKeySecret":"` + canary +
		`","SecurityToken":"` + canary + `","Expiration":"2026-11-21T06:00:00Z","LastUpdated":"2026-11-21T00:00:00Z"}`
	got, err := serve(t, v, http.StatusOK).RoleCredentials(t.Context(), "sealane")
	if err != nil {
		t.Fatal(err)
	}
	if got.KeyID != "STS.1" || got.Secret != canary || got.Token != canary ||
		!got.Expires.Equal(time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)) {
		t.Error("credentials differ from what the service said")
	}
	for _, text := range []string{fmt.Sprint(got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got), slog.AnyValue(got).Resolve().String()} {
		if strings.Contains(text, canary) {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func TestRoleCredentialsRefused(t *testing.T) {
	v := values()
	v["ram/security-credentials/broken"] = `{"Code":"Success","AccessKeySecret":"` + canary + `",`
	v["ram/security-credentials/failed"] = `{"Code":"Failed","AccessKeySecret":"` + canary + `"}`
	client := serve(t, v, http.StatusOK)
	for role, want := range map[string]error{
		"none": api.ErrNotFound, "broken": api.ErrInvalid, "failed": api.ErrInvalid, "../../dynamic": api.ErrInvalid, "": api.ErrInvalid,
	} {
		_, err := client.RoleCredentials(t.Context(), role)
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", role, err, want)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%q: a secret is printed: %v", role, err)
		}
	}
}
