package metadata

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
)

func TestInterface(t *testing.T) {
	v := values()
	v["network/interfaces/macs/00:16:3e:00:00:12/network-interface-id"] = "eni-bp1second"
	v["network/interfaces/macs/00:16:3e:00:00:12/vswitch-id"] = "vsw-bp1second"
	client := serve(t, v, http.StatusOK)
	for _, mac := range []string{"00:16:3e:00:00:12", "00:16:3E:00:00:12", "00-16-3e-00-00-12"} {
		if got, err := client.Interface(t.Context(), mac); err != nil || got != "eni-bp1second" {
			t.Errorf("%s: got %q, %v", mac, got, err)
		}
		if got, err := client.InterfaceVSwitch(t.Context(), mac); err != nil || got != "vsw-bp1second" {
			t.Errorf("%s: got %q, %v", mac, got, err)
		}
	}
}

func TestInterfaceRefused(t *testing.T) {
	v := values()
	v["network/interfaces/macs/00:16:3e:00:00:13/network-interface-id"] = "i-bp1abc"
	v["network/interfaces/macs/00:16:3e:00:00:14/network-interface-id"] = "eni-a/../b"
	client := serve(t, v, http.StatusOK)
	for mac, want := range map[string]error{
		"": api.ErrInvalid, "eth0": api.ErrInvalid, "../mac": api.ErrInvalid, "02:00:5e:10:00:00:00:01": api.ErrInvalid,
		"00:16:3e:00:00:13": api.ErrInvalid, "00:16:3e:00:00:14": api.ErrInvalid, "00:16:3e:00:00:99": api.ErrNotFound,
	} {
		if got, err := client.Interface(t.Context(), mac); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: got %q, %v; want %v", mac, got, err, want)
		} else if !strings.Contains(err.Error(), mac) {
			t.Errorf("%q: the error does not name it: %v", mac, err)
		}
	}
}

func TestInterfaceFromTheSimulator(t *testing.T) {
	seed := alisim.Example()
	seed.Instances[0].MAC, seed.Instances[0].ENI = "00:16:3e:aa:bb:cc", "eni-1"
	seed.Instances[0].Interfaces = []alisim.Interface{
		{ID: "eni-second", MAC: "00:16:3e:aa:bb:dd", VSwitch: "vsw-2", IP: netip.MustParseAddr("192.168.16.99"), SecurityGroups: []string{"sg-1"}},
	}
	sim, err := alisim.New(seed, alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = seed.Instances[0].IP.String() + ":40000"
		sim.Metadata().ServeHTTP(w, r)
	}))
	defer server.Close()
	if got, err := (Client{URL: server.URL}).Interface(t.Context(), "00:16:3E:AA:BB:CC"); err != nil || got != "eni-1" {
		t.Errorf("got %q, %v", got, err)
	}
	second := Client{URL: server.URL}
	if got, err := second.Interface(t.Context(), "00:16:3e:aa:bb:dd"); err != nil || got != "eni-second" {
		t.Errorf("secondary interface: got %q, %v", got, err)
	}
	if got, err := second.InterfaceVSwitch(t.Context(), "00:16:3e:aa:bb:dd"); err != nil || got != "vsw-2" {
		t.Errorf("its vSwitch: got %q, %v", got, err)
	}
}

// Neither a proxy nor a redirect takes a request elsewhere. Go itself sends nothing for
// loopback to a proxy, so a proxy that counts would show nothing here.
func TestStaysWithTheService(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was asked elsewhere", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	if _, err := (Client{URL: redirects.URL}).Interface(t.Context(), "00:16:3e:00:00:12"); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid for a redirect", err)
	}
	s, done, err := serve(t, values(), http.StatusOK).openSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if transport, ok := s.http.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Errorf("requests may go through a proxy: %T", s.http.Transport)
	}
}

// A service that takes the request and says nothing does not hold the caller, though the
// caller's context has no deadline.
func TestEveryCallHasADeadline(t *testing.T) {
	var hanging http.RoundTripper = roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &session{url: "http://service", http: newHTTP(hanging)}
		_, err := s.readValue(t.Context(), "instance-id")
		if took := time.Since(start); !errors.Is(err, api.ErrUnreachable) || took != callTimeout {
			t.Errorf("got %v after %s, want ErrUnreachable after %s", err, took, callTimeout)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
