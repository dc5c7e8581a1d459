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
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/credential"
)

func TestSecret(t *testing.T) {
	var buf strings.Builder
	c := config("")
	c.SecurityToken = canaryToken
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("m", "secret", c.AccessKeySecret, "nested", map[string]credential.Secret{"a": c.SecurityToken})
	text, err := json.Marshal(c.AccessKeySecret)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%s %v %q %#v %+v", c.AccessKeySecret, c.AccessKeySecret, c.AccessKeySecret, c.AccessKeySecret, c) +
		fmt.Sprintf("%#v", c) + string(text) + buf.String()
	leaks(t, all)
	if !strings.Contains(all, "***") || credential.Secret("").String() != "" {
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

func TestEndpointOfECS(t *testing.T) {
	c := config("http://127.0.0.1:1")
	c.EndpointECS = "https://ecs.example"
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if p.client.VPC != (call.Address{Scheme: "HTTP", Host: "127.0.0.1:1"}) || p.client.ECS != (call.Address{Scheme: "HTTPS", Host: "ecs.example"}) {
		t.Errorf("got %v and %v", p.client.VPC, p.client.ECS)
	}
	c.EndpointECS = "ftp://ecs.example"
	if _, err := New(c); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
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
