package server_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/sealane/sealane/api/client"
	"github.com/sealane/sealane/api/server"
)

type fixed struct {
	status api.Status
	err    error
}

func (f fixed) Status() (api.Status, error) { return f.status, f.err }

func example() api.Status {
	route := api.Route{Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: "i-a"}
	return api.Status{
		Schema: api.SchemaStatus, Cluster: "c", Config: api.Config{Policy: api.PolicyFull},
		Registry: api.RegistryState{Revision: 7, Reachable: true},
		Pass: &api.Pass{
			At: time.Unix(100, 0).UTC(), Policy: api.PolicyFull, DeletesID: "d1",
			Plan: api.Plan{Changes: []api.Change{{Verb: api.Delete, Route: route, Reason: api.ReasonHostGone}}},
		},
		Hosts:  []api.HostStatus{{Host: api.Host{Report: api.Report{Instance: "i-a", IP: netip.MustParseAddr("192.168.1.1")}}, State: api.HostReady}},
		Routes: []api.RouteStatus{{Destination: route.Destination, Host: "i-a", Stage: api.StageWritten}},
	}
}

// start serves the source and returns a client for it.
func start(t *testing.T, source server.Source) (*client.Client, string) {
	t.Helper()
	srv := httptest.NewServer(server.New(source, nil, slog.New(slog.DiscardHandler)))
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c, srv.URL
}

func TestDocumentsSurviveTheTrip(t *testing.T) {
	want := example()
	c, _ := start(t, fixed{status: want})
	ctx := t.Context()

	status, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	addrs := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(want, status, prefixes, addrs); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	hosts, err := c.Hosts(ctx)
	if err != nil || len(hosts.Hosts) != 1 || hosts.Hosts[0].Instance != "i-a" {
		t.Errorf("hosts: %+v, %v", hosts, err)
	}
	routes, err := c.Routes(ctx)
	if err != nil || len(routes.Routes) != 1 || routes.Routes[0].Stage != api.StageWritten {
		t.Errorf("routes: %+v, %v", routes, err)
	}
	plan, err := c.Plan(ctx)
	if err != nil || plan.DeletesID != "d1" || plan.Plan.String() != want.Pass.Plan.String() {
		t.Errorf("plan: %+v, %v", plan, err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	c, url := start(t, fixed{err: errors.Join(errors.New("no registry"), api.ErrUnreachable)})
	_, err := c.Status(t.Context())
	if !errors.Is(err, api.ErrUnreachable) || api.ExitCode(err) != api.ExitUnreachable {
		t.Errorf("got %v", err)
	}
	if ready, _ := answer(t, http.MethodGet, url+"/readyz"); ready != http.StatusServiceUnavailable {
		t.Errorf("readyz: HTTP %d", ready)
	}
	if health, _ := answer(t, http.MethodGet, url+"/healthz"); health != http.StatusOK {
		t.Errorf("healthz: HTTP %d", health)
	}
}

func answer(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

func TestStaleRegistryIsNotReady(t *testing.T) {
	st := example()
	st.Registry.Reachable, st.Registry.Problem = false, "etcd does not answer"
	c, url := start(t, fixed{status: st})
	if code, text := answer(t, http.MethodGet, url+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "etcd does not answer") {
		t.Errorf("readyz: HTTP %d %s", code, text)
	}
	if got, err := c.Status(t.Context()); err != nil || got.Registry.Reachable {
		t.Errorf("the last status must still be shown: %+v, %v", got.Registry, err)
	}
}

func TestNoPassIsNotAnEmptyPlan(t *testing.T) {
	st := example()
	st.Pass = nil
	c, _ := start(t, fixed{status: st})
	if _, err := c.Plan(t.Context()); api.ExitCode(err) != api.ExitUnreachable {
		t.Errorf("got %v", err)
	}
}

func TestWrongRequests(t *testing.T) {
	_, url := start(t, fixed{status: example()})
	for _, tc := range []struct {
		method, path string
		code         int
		kind         string
	}{
		{http.MethodGet, "/nope", http.StatusNotFound, api.ErrNotFound.Error()},
		{http.MethodGet, "/api/v1/", http.StatusNotFound, api.ErrNotFound.Error()},
		{http.MethodPost, "/api/v1/status", http.StatusMethodNotAllowed, api.ErrUsage.Error()},
		{http.MethodDelete, "/api/v1/routes", http.StatusMethodNotAllowed, api.ErrUsage.Error()},
	} {
		code, text := answer(t, tc.method, url+tc.path)
		_, body, _ := strings.Cut(text, "\r\n\r\n")
		var doc api.ErrorBody
		if err := json.Unmarshal([]byte(body), &doc); err != nil || code != tc.code || doc.Kind != tc.kind || doc.Schema != api.SchemaError {
			t.Errorf("%s %s: HTTP %d, %+v, %v", tc.method, tc.path, code, doc, err)
		}
	}
}

func TestClientRefusesStrangers(t *testing.T) {
	for _, text := range []string{"<html>", `{"schema":"sealane.status/v9"}`, `[]`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
		c, err := client.New(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Status(t.Context()); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: got %v", text, err)
		}
		srv.Close()
	}
	for _, server := range []string{"", "127.0.0.1:8480", "ftp://x", "http://"} {
		if _, err := client.New(server); api.ExitCode(err) != api.ExitUsage {
			t.Errorf("%q: got %v", server, err)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener, http.NotFoundHandler()) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("a cancelled context is a normal end, got %v", err)
	}
}
