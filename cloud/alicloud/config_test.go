package alicloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestSecret(t *testing.T) {
	var buf strings.Builder
	c := config("")
	c.SecurityToken = canaryToken
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("m", "secret", c.AccessKeySecret, "nested", map[string]Secret{"a": c.SecurityToken})
	text, err := json.Marshal(c.AccessKeySecret)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%s %v %q %#v %+v", c.AccessKeySecret, c.AccessKeySecret, c.AccessKeySecret, c.AccessKeySecret, c) +
		fmt.Sprintf("%#v", c) + string(text) + buf.String()
	leaks(t, strings.ReplaceAll(all, canaryID, ""))
	if !strings.Contains(all, "***") || Secret("").String() != "" {
		t.Error("a secret should print as stars, an empty one as nothing")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no region":        func(c *Config) { c.Region = "" },
		"odd region":       func(c *Config) { c.Region = "cn/../hangzhou" },
		"no VPC":           func(c *Config) { c.VPC = "" },
		"not a VPC":        func(c *Config) { c.VPC = "i-1" },
		"no credentials":   func(c *Config) { c.AccessKeyID, c.AccessKeySecret = "", "" },
		"no secret":        func(c *Config) { c.AccessKeySecret = "" },
		"key and role":     func(c *Config) { c.RoleName = "r" },
		"negative":         func(c *Config) { c.Settle = -1 },
		"endpoint scheme":  func(c *Config) { c.Endpoint = "ftp://127.0.0.1" },
		"endpoint user":    func(c *Config) { c.Endpoint = "http://" + canaryID + "@127.0.0.1" },
		"endpoint path":    func(c *Config) { c.Endpoint = "http://127.0.0.1/x" },
		"endpoint no host": func(c *Config) { c.Endpoint = "http://" },
	} {
		c := config("http://127.0.0.1:1")
		spoil(&c)
		_, err := New(c)
		if !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
			continue
		}
		leaks(t, err.Error())
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                       "HTTPS vpc-vpc.cn-hangzhou.aliyuncs.com ecs-vpc.cn-hangzhou.aliyuncs.com",
		"http://127.0.0.1:18080": "HTTP 127.0.0.1:18080 127.0.0.1:18080",
		"https://gate.example/":  "HTTPS gate.example gate.example",
		"gate.example:8443":      "HTTPS gate.example:8443 gate.example:8443",
		"127.0.0.1:18080":        "HTTPS 127.0.0.1:18080 127.0.0.1:18080",
	} {
		p, err := New(config(endpoint))
		if err != nil {
			t.Errorf("%q: %v", endpoint, err)
			continue
		}
		if got := p.client.scheme + " " + p.client.endpoint("Vpc") + " " + p.client.endpoint("Ecs"); got != want {
			t.Errorf("%q: got %s, want %s", endpoint, got, want)
		}
	}
}

// The SDK would put these into the transport, loopback or not.
func TestNoProxyForAnExplicitEndpoint(t *testing.T) {
	var proxied atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	r := newRig(t)
	if _, err := r.Network(t.Context()); err != nil {
		t.Error(err)
	}
	if n := proxied.Load(); n != 0 {
		t.Errorf("%d requests went to the proxy", n)
	}
}

func TestWrongSecretIsDenied(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AccessKeySecret = "wrong-" + canarySecret })
	_, err := r.Network(t.Context())
	if !errors.Is(err, api.ErrDenied) || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("got %v", err)
	}
	leaks(t, fmt.Sprint(err))
}

// roleServer is a metadata service that gives credentials which hold for a while, or fails.
func roleServer(t *testing.T, lifetime time.Duration) (url string, asked *atomic.Int32, broken *atomic.Bool) {
	t.Helper()
	asked, broken = new(atomic.Int32), new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case broken.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case r.Method == http.MethodPut:
			_, _ = fmt.Fprint(w, "token")
		default:
			asked.Add(1)
			_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"AccessKeySecret":%q,"SecurityToken":%q,"Expiration":%q}`,
				canaryID, canarySecret, canaryToken, time.Now().Add(lifetime).UTC().Format(time.RFC3339))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, asked, broken
}

func TestRole(t *testing.T) {
	for name, test := range map[string]struct {
		lifetime time.Duration
		asked    int32 // for three calls
	}{
		"fresh":         {time.Hour, 1},
		"about to end":  {time.Minute, 3},
		"already ended": {-time.Minute, 3},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked, _ := roleServer(t, test.lifetime)
			r := role{name: "sealane"}
			r.client.URL = url
			for range 3 {
				c, err := r.credential(t.Context())
				if err != nil || c != (credential{canaryID, canarySecret, canaryToken}) {
					t.Fatalf("got another credential, %v", err)
				}
			}
			if n := asked.Load(); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
		})
	}
}

// A failed renewal does not matter while the former credential is good.
func TestRoleOutlivesMetadataTrouble(t *testing.T) {
	url, _, broken := roleServer(t, time.Minute)
	r := role{name: "sealane"}
	r.client.URL = url
	if _, err := r.credential(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	if _, err := r.credential(t.Context()); err != nil {
		t.Errorf("the former credential is still good: %v", err)
	}
	r.last.Expires = time.Now().Add(-time.Second)
	if _, err := r.credential(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestRoleSignsRequests(t *testing.T) {
	seed := world()
	seed.Instances[0].Role = "sealane"
	sim, err := alisim.New(seed, alisim.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	api, meta := httptest.NewServer(sim.API()), httptest.NewServer(as(seed.Instances[0].IP.String(), sim.Metadata()))
	defer api.Close()
	defer meta.Close()
	c := config(api.URL)
	c.AccessKeyID, c.AccessKeySecret, c.RoleName, c.MetadataURL = "", "", "sealane", meta.URL
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Network(t.Context()); err != nil {
		t.Error(err)
	}
}

// as lets every request come from one address.
func as(ip string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = ip + ":40000"
		next.ServeHTTP(w, r)
	})
}
