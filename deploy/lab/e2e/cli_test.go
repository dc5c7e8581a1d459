package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab"
)

// TestDemo runs what `make demo CHECK=1` runs, with the etcd inside the controller.
func TestDemo(t *testing.T) {
	needDocker(t)
	same := watchMachine(t, "e2edemo")
	got := execute(t, program("sealane-lab"), "demo", "--check", "--name", "e2edemo", "--engine", "docker")
	if got.code != api.ExitOK {
		t.Fatalf("exit code %d\n%s\n%s", got.code, got.out, got.err)
	}
	for _, want := range []string{"BEFORE", "SL-F107", "AFTER", "SL-F106", "CHECK OFF", "10.0.0.2", "10.1.0.2", "i-8vb6dyu0clj3b538e1yh", "API http://127.0.0.1:"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the demo does not show %q:\n%s", want, got.out)
		}
	}
	same()
}

// TestLabCommands uses a lab as a newcomer does, without Docker and in networks of choice.
func TestLabCommands(t *testing.T) {
	need(t, "iptables")
	const name = "e2ecli"
	same := watchMachine(t, name)
	run := func(args ...string) ran { return execute(t, program("sealane-lab"), args...) }
	t.Cleanup(func() { _ = lab.Down(context.Background(), name) })
	up := run("up", "--detach", "--name", name, "--engine", "netns", "--hosts", "3", "--vpc", "172.16.0.0/16", "--bip-pool", "10.64.0.0/16")
	if up.code != api.ExitOK || !strings.HasPrefix(up.out, "API http://127.0.0.1:") {
		t.Fatalf("up: %+v", up)
	}
	check := run("check", "--name", name, "-o", "json")
	var report lab.Report
	if err := json.Unmarshal([]byte(check.out), &report); err != nil || check.code != api.ExitOK || len(report.Pairs) != 6 || report.Schema != api.SchemaCheck {
		t.Errorf("check: %v %+v", err, check)
	}
	if again := run("up", "--name", name); again.code != api.ExitRefused || !strings.Contains(again.err, "sealane-lab down") {
		t.Errorf("a second lab of the same name: %+v", again)
	}
	if got := run("exec", "host3", "--name", name, "--", "sh", "-c", "ip -4 -o addr show docker0; exit 9"); got.code != 9 || !strings.Contains(got.out, "10.64.2.1/24") {
		t.Errorf("exec: %+v", got)
	}
	if got := run("exec", "4", "--name", name, "--", "true"); got.code != api.ExitUsage {
		t.Errorf("exec on a host that is not there: %+v", got)
	}
	for range 2 {
		if down := run("down", "--name", name); down.code != api.ExitOK || down.out+down.err != "" {
			t.Errorf("down: %+v", down)
		}
	}
	if gone := run("check", "--name", name); gone.code != api.ExitError || !strings.Contains(gone.err, "not up") {
		t.Errorf("check of a lab that is gone: %+v", gone)
	}
	same()
}

// TestCheckProvesNothingOnOneHost wants a lab of one host to come up, and its check to fail.
func TestCheckProvesNothingOnOneHost(t *testing.T) {
	need(t, "iptables")
	const name = "e2eone"
	t.Cleanup(func() { _ = lab.Down(context.Background(), name) })
	if up := execute(t, program("sealane-lab"), "up", "--detach", "--name", name, "--engine", "netns", "--hosts", "1"); up.code != api.ExitOK {
		t.Fatalf("up: %+v", up)
	}
	check := execute(t, program("sealane-lab"), "check", "--name", name)
	if check.code != api.ExitDegraded || !strings.Contains(check.err, "one host: no pair to check") {
		t.Errorf("check: %+v", check)
	}
	if down := execute(t, program("sealane-lab"), "down", "--name", name); down.code != api.ExitOK {
		t.Errorf("down: %+v", down)
	}
}

func TestWrongUsageOfTheLab(t *testing.T) {
	need(t)
	for _, args := range [][]string{
		{"up", "--hosts", "0"},
		{"up", "--hosts", "51"},
		{"up", "--bip-pool", "10.0.0.1"},
		{"up", "--bip-pool", "192.168.0.0/16"},
		{"up", "--engine", "podman"},
		{"up", "--name", "no spaces"},
		{"up", "--hots", "3"},
		{"exec", "1"},
	} {
		got := execute(t, program("sealane-lab"), args...)
		if got.code != api.ExitUsage || got.out != "" || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%v: %+v, want exit code %d and one line", args, got, api.ExitUsage)
		}
	}
}
