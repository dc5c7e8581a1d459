package call

import (
	"net/http"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                       "HTTPS vpc-vpc.cn-hangzhou.aliyuncs.com ecs-vpc.cn-hangzhou.aliyuncs.com",
		"http://127.0.0.1:18080": "HTTP 127.0.0.1:18080 127.0.0.1:18080",
		"https://gate.example/":  "HTTPS gate.example gate.example",
		"gate.example:8443":      "HTTPS gate.example:8443 gate.example:8443",
		"127.0.0.1:18080":        "HTTPS 127.0.0.1:18080 127.0.0.1:18080",
	} {
		at, err := ParseEndpoint(endpoint)
		if err != nil {
			t.Errorf("%q: %v", endpoint, err)
			continue
		}
		c := New(Config{Region: "cn-hangzhou", VPC: at, ECS: at})
		vpc, ecs := c.addressOf("Vpc"), c.addressOf("Ecs")
		if got := vpc.Scheme + " " + vpc.Host + " " + ecs.Host; got != want {
			t.Errorf("%q: got %s, want %s", endpoint, got, want)
		}
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
