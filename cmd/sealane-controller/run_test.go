package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcdtest"
	"github.com/sealane/sealane/cmd/cli"
)

// command runs the command in this process and returns its exit code and output.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	s := cli.Streams{Out: &stdout, Err: &stderr, Getenv: func(string) (string, bool) { return "", false }}
	code = cli.Run(t.Context(), newController(s), s, args)
	return code, stdout.String(), stderr.String()
}

func TestConfigure(t *testing.T) {
	server := etcdtest.Start(t)
	at := "--etcd-endpoints=" + server.Endpoints[0]
	if code, _, errs := command(t, "configure", at); code != api.ExitError || !strings.Contains(errs, "no configuration yet") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	if code, _, errs := command(t, "configure", at, "--policy=full"); code != api.ExitUsage || !strings.Contains(errs, "pools: none given") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	if code, _, errs := command(t, "configure", at, "--pool=10.0.0.0/8"); code != api.ExitOK {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if code, _, errs := command(t, "configure", at, "--policy=all"); code != api.ExitUsage {
		t.Errorf("exit code %d, %s", code, errs)
	}
	if code, _, errs := command(t, "configure", at, "--policy=full", "--max-deletes=9", "--confirm=abc"); code != api.ExitOK {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	_, out, _ := command(t, "configure", at)
	var c api.Config
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	want := api.DefaultConfig()
	want.Policy, want.Confirmed, want.Guard.MaxDeletes = api.PolicyFull, "abc", 9
	if !slices.Equal(c.Pools, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}) || c.Policy != want.Policy || c.Confirmed != want.Confirmed || c.Guard != want.Guard || c.SourceMode != want.SourceMode {
		t.Errorf("what was not named must stay: %+v", c)
	}
}

func TestConfigureWithoutEtcd(t *testing.T) {
	if code, _, errs := command(t, "configure", "--etcd-endpoints=http://127.0.0.1:1"); code != api.ExitUnreachable || !strings.Contains(errs, "does not answer") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// TestOwnEtcd starts the etcd of its own twice on one directory, and once on a damaged one.
func TestOwnEtcd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	listen := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	for range 2 {
		e, err := startEtcd(t.Context(), dir, listen)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := watchEtcd(ctx, e); err != nil {
			t.Errorf("the end of the context is a normal end: %v", err)
		}
		e.Close()
	}
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log in %s: %v", dir, err)
	}
	for _, log := range logs {
		if err := os.WriteFile(log, bytes.Repeat([]byte("damage"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := startEtcd(t.Context(), dir, listen); err == nil || !strings.Contains(err.Error(), dir) || errors.Is(err, api.ErrUsage) {
		t.Errorf("a damaged directory must be named: %v", err)
	} else {
		t.Log(err)
	}
}
