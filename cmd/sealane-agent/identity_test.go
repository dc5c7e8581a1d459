package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/cloud/metadata"
)

// TestIdentify asks a metadata service with the answers of an instance that has a second
// interface with 192.168.1.12.
func TestIdentify(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "token") })
	for path, value := range map[string]string{
		"instance-id": "i-1", "region-id": "cn-x", "zone-id": "cn-x-a", "vpc-id": "vpc-1", "vswitch-id": "vsw-1",
		"private-ipv4": "192.168.0.11", "mac": "00:16:3e:00:00:11", "hostname": "web-1",
		"network/interfaces/macs/00:16:3e:00:00:12/network-interface-id": "eni-2",
		"network/interfaces/macs/00:16:3e:00:00:12/vswitch-id":           "vsw-2",
	} {
		mux.HandleFunc("GET /latest/meta-data/"+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, value) })
	}
	service := httptest.NewServer(mux)
	defer service.Close()
	for _, tt := range []struct{ ip, want, mac string }{
		{"", "192.168.0.11", ""},
		{"192.168.0.11", "192.168.0.11", ""},
		{"192.168.1.12", "192.168.1.12", "00:16:3e:00:00:11"},
	} {
		f := &flags{metadataURL: service.URL, ip: tt.ip}
		id, err := identify(t.Context(), f, slog.New(slog.DiscardHandler))
		if err != nil || id.IP.String() != tt.want || id.MAC != tt.mac || id.Instance != "i-1" || id.VSwitch != "vsw-1" {
			t.Errorf("--ip %q: %+v, %v; want %s and MAC address %q", tt.ip, id, err, tt.want, tt.mac)
		}
	}
	var client agent.Interfaces = metadata.Client{URL: service.URL}
	if eni, err := client.Interface(t.Context(), "00:16:3E:00:00:12"); err != nil || eni != "eni-2" {
		t.Errorf("interface %q, %v", eni, err)
	}
	if vswitch, err := client.InterfaceVSwitch(t.Context(), "00:16:3E:00:00:12"); err != nil || vswitch != "vsw-2" {
		t.Errorf("vSwitch %q, %v", vswitch, err)
	}
}
