package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcdtest"
	"github.com/sealane/sealane/cmd/cli"
	"github.com/sealane/sealane/controller/leader"
)

func adopt(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newAdopt()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAdopt(t *testing.T) {
	server := etcdtest.Start(t)
	endpoint := server.Endpoints[0]
	reg := registry.New(server.Client, "lab")
	config := api.DefaultConfig()
	config.Pools = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if _, err := reg.CreateConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--etcd-endpoints", endpoint, "--cluster", "lab"}
	if _, err := adopt(t, flags...); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), "no controller has made a pass") {
		t.Errorf("before any pass: %v", err)
	}

	foreign := func(destination, id string) api.Held {
		r := api.Route{Table: "vtb-1", Destination: netip.MustParsePrefix(destination), NextHop: "i-a", Mark: api.Mark{Cluster: "lab", Host: "i-a"}}
		was := api.Route{Table: "vtb-1", Destination: r.Destination, NextHop: "vpn-1", ID: id}
		return api.Held{Change: api.Change{Verb: api.Create, Route: r, Was: &was, Reason: api.ReasonNewSubnet}, Reason: api.ReasonForeignRoute}
	}
	lease, err := leader.NewEtcd(server.Client, "lab", "c1", 15*time.Second).Campaign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lease.Resign(context.WithoutCancel(t.Context())) })
	held := []api.Held{foreign("10.0.3.0/24", "rte-1"), foreign("10.0.4.0/24", "rte-2")}
	pass := api.Pass{Term: lease.Term(), At: time.Now(), Plan: api.Plan{Held: held}}
	if err := reg.Publish(t.Context(), lease.Term(), api.Publication{Pass: pass}); err != nil {
		t.Fatal(err)
	}

	out, err := adopt(t, append(flags, "10.0.3.0/24")...)
	if !errors.Is(err, cli.Exit(api.ExitChanges)) {
		t.Fatalf("got %v, want exit code %d", err, api.ExitChanges)
	}
	want := "adopt 10.0.3.0/24 -> vpn-1 in vtb-1 (rte-1), which becomes 10.0.3.0/24 -> i-a in vtb-1 for i-a\n" +
		"to let sealane have them, the same again with --confirm "
	id, ok := strings.CutPrefix(strings.TrimSpace(out), want)
	if !ok {
		t.Fatalf("got\n%s\nwant\n%s...", out, want)
	}
	if _, err := adopt(t, append(flags, "--confirm", id)...); !errors.Is(err, api.ErrRefused) {
		t.Errorf("the id of one route for all of them: %v, want %v", err, api.ErrRefused)
	}
	if _, err := adopt(t, append(flags, "10.0.9.0/24")...); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a destination with nothing in the way: %v, want %v", err, api.ErrNotFound)
	}
	if out, err = adopt(t, append(flags, "10.0.3.0/24", "--confirm", id)...); err != nil || !strings.Contains(out, "recorded") {
		t.Fatalf("confirmed: %v\n%s", err, out)
	}
	config, err = reg.Config(t.Context())
	if err != nil || len(config.Adopt) != 1 || !config.Adopt[0].Covers(*foreign("10.0.3.0/24", "rte-1").Change.Was) {
		t.Errorf("the configuration says %+v, %v", config.Adopt, err)
	}
}
