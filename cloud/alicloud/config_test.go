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

	"github.com/sealane/sealane/api"
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
	leaks(t, all)
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
		"role and token":   func(c *Config) { c.AccessKeyID, c.AccessKeySecret, c.SecurityToken, c.RoleName = "", "", "t", "r" },
		"key and file":     func(c *Config) { c.CredentialsFile = "/credentials" },
		"no id":            func(c *Config) { c.AccessKeyID = "" },
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
		vpc, ecs := p.client.address("Vpc"), p.client.address("Ecs")
		if got := vpc.scheme + " " + vpc.host + " " + ecs.host; got != want {
			t.Errorf("%q: got %s, want %s", endpoint, got, want)
		}
	}
}

func TestEndpointOfECS(t *testing.T) {
	c := config("http://127.0.0.1:1")
	c.EndpointECS = "https://ecs.example"
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if vpc, ecs := p.client.address("Vpc"), p.client.address("Ecs"); vpc != (address{"HTTP", "127.0.0.1:1"}) || ecs != (address{"HTTPS", "ecs.example"}) {
		t.Errorf("got %v and %v", vpc, ecs)
	}
	c.EndpointECS = "ftp://ecs.example"
	if _, err := New(c); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// The environment's proxy is for addresses that are far away. It is read once in a process.
func TestProxyIsForFarAddresses(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	t.Setenv("NO_PROXY", "")
	for host, want := range map[string]bool{
		"vpc-vpc.cn-hangzhou.aliyuncs.com": true, "203.0.113.7": true,
		"localhost": false, "127.0.0.1:8080": false, "[::1]:8080": false, "192.168.0.1": false, "169.254.1.1": false,
		"100.100.100.200": false, "100.64.0.1": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if proxy, err := proxyFor(req); err != nil || (proxy != nil) != want {
			t.Errorf("%s: got %v, %v; want a proxy: %t", host, proxy, err, want)
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
