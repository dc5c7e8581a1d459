package simtest

import (
	"io"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

// AskFrom sends a request to the metadata service as if from an address.
func AskFrom(sim *alisim.Sim, ip, method, path string, header ...string) (int, string) {
	r := httptest.NewRequest(method, "http://100.100.100.200"+path, nil)
	r.RemoteAddr = ip + ":40000"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	sim.Metadata().ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(text)
}

// DualStack is a seed with IPv6 and with secondary interfaces: i-1 has eni-b (one IPv6 address)
// and eni-c (two), i-2 has none of either, i-3 has an IPv6 address itself.
func DualStack(s *alisim.Seed) {
	addr := netip.MustParseAddr
	s.VPCs[0].IPv6 = netip.MustParsePrefix("2001:db8::/56")
	s.VPCs[0].VSwitches[0].IPv6 = netip.MustParsePrefix("2001:db8::/64")
	s.VPCs[0].VSwitches[1].IPv6 = netip.MustParsePrefix("2001:db8:0:1::/64")
	s.Instances[0].Interfaces = []alisim.Interface{
		{ID: "eni-b", IP: addr("192.168.0.21"), MoreIPs: []netip.Addr{addr("192.168.0.22")}, IPv6: []netip.Addr{addr("2001:db8::21")}, SourceDestCheck: true},
		{IP: addr("192.168.16.31"), VSwitch: "vsw-2", IPv6: []netip.Addr{addr("2001:db8:0:1::31"), addr("2001:db8:0:1::32")}},
	}
	s.Instances[2].IPv6 = []netip.Addr{addr("2001:db8:0:1::13")}
}

// AskControl sends a request to the admin endpoint as a caller on loopback.
func AskControl(t *testing.T, sim *alisim.Sim, method, path, body string) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8991"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	sim.Admin().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// MetaData is where instances find facts about themselves.
const MetaData = "/latest/meta-data/"
