package lab

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// up builds a lab for one test; its name is short and the test's own.
func up(t *testing.T, o Options) *Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds: left out under -short")
	}
	if !isRoot() {
		t.Skip("needs root: it makes network namespaces")
	}
	if absent := engine.MissingForDocker(); o.Engine == EngineDocker && len(absent) > 0 {
		t.Skipf("needs Docker: %s", strings.Join(absent, ", "))
	}
	o.Out = t.Output()
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestHostsDoNotReachEachOtherWithoutRoutes(t *testing.T) {
	for _, engine := range []EngineKind{EngineNetns, EngineDocker} {
		t.Run(string(engine), func(t *testing.T) {
			l := up(t, Options{Name: "t1" + string(engine), Engine: engine})
			r := l.Inventory().Check(t.Context(), time.Second)
			if len(r.Pairs) != 2 || !r.Silent() {
				t.Errorf("report before anything runs: %+v", r)
			}
			for _, p := range r.Pairs {
				if p.Problem == "" || !p.FromAddr.IsValid() {
					t.Errorf("pair without addresses or reason: %+v", p)
				}
			}
		})
	}
}

// routed is a lab whose hosts forward and whose table has their routes, as the agents and
// the controller would see to.
func routed(t *testing.T, o Options) *Lab {
	t.Helper()
	l := up(t, o)
	for _, h := range l.Inventory().Hosts {
		if err := netns.WriteSettings(netns.Path(h.Namespace), "net/ipv4/ip_forward=1"); err != nil {
			t.Fatal(err)
		}
		if err := l.Sim().AddRoute(Table, routeTo(h)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func await(t *testing.T, l *Lab, wanted func(Report) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if r, err := l.Await(ctx, wanted); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
}

func TestContainersReachEachOtherOnceHostsForwardAndRoutesAreThere(t *testing.T) {
	await(t, routed(t, Options{Name: "t2", Engine: EngineNetns}), Report.SourcesKept)
}

func TestStreamCountsWhatIsLost(t *testing.T) {
	l := routed(t, Options{Name: "t8", Engine: EngineNetns})
	await(t, l, Report.OK)
	v := l.Inventory()
	second := func() probe.Traffic {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		traffic, err := v.Stream(ctx, v.Hosts[0], v.Hosts[1])
		if err != nil {
			t.Fatal(err)
		}
		return traffic
	}
	if got := second(); got.Sent < 10 || got.Lost != 0 {
		t.Errorf("with the route: %v", got)
	}
	if err := l.Sim().RemoveRoute(Table, v.Hosts[1].Bip.Masked()); err != nil {
		t.Fatal(err)
	}
	await(t, l, Report.Silent)
	if got := second(); got.Sent < 10 || got.Lost != got.Sent || got.Longest != got.Sent {
		t.Errorf("without the route: %v", got)
	}
}

func TestRunIsInTheHostsNamespace(t *testing.T) {
	l := up(t, Options{Name: "t3", Engine: EngineNetns, Hosts: 1})
	h, err := l.Inventory().Host("i-8vb6dyu0clj3b538e1yh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cat", "/proc/net/fib_trie")
	var out strings.Builder
	cmd.Stdout = &out
	if err := l.Inventory().Run(h, cmd); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "192.168.1.196") {
		t.Errorf("the host's address is not there:\n%s", out.String())
	}
	err = l.Inventory().Run(h, exec.Command("sh", "-c", "exit 9"))
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 9 {
		t.Errorf("exit 9 came back as %v", err)
	}
}

func TestSecondLabOfTheSameNameIsRefused(t *testing.T) {
	up(t, Options{Name: "t4", Engine: EngineNetns, Hosts: 1})
	if _, err := Up(t.Context(), Options{Name: "t4", Engine: EngineNetns}); !errors.Is(err, ErrExists) {
		t.Errorf("second lab: %v, want ErrExists", err)
	}
}

// Of several that start a lab of one name at the same moment one gets it, unharmed.
func TestOneOfManyThatStartAtOnceGetsTheName(t *testing.T) {
	if testing.Short() || !isRoot() {
		t.Skip("needs root, and takes seconds: left out under -short")
	}
	const many = 4
	labs, failures := make([]*Lab, many), make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { labs[i], failures[i] = Up(t.Context(), Options{Name: "t9", Engine: EngineNetns, Hosts: 1}) })
	}
	wg.Wait()
	up := 0
	for i, l := range labs {
		if l == nil {
			if !errors.Is(failures[i], ErrExists) {
				t.Errorf("refused with %v, want ErrExists", failures[i])
			}
			continue
		}
		up++
		if err := engine.CheckService(t.Context(), engineHost("t9", l.Inventory().Hosts[0])); err != nil {
			t.Errorf("the one that got the name does not work: %v", err)
		}
		if err := l.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if up != 1 {
		t.Errorf("%d labs of one name, want 1", up)
	}
	assertNothingLeft(t, "t9")
}

// An agent that cannot even start ends the wait at once, and its own words tell why.
func TestAwaitEndsWhenAPartEndsByItself(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sealane-agent"), []byte("#!/bin/sh\necho no such flag\nexit 2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	l := up(t, Options{Name: "t10", Engine: EngineNetns, BinDir: bin})
	if err := l.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := l.Await(ctx, Report.OK)
	if err == nil || errors.Is(err, api.ErrTimeout) || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("got %v, want the agent's last words", err)
	}
}

func TestAReportWithoutPairsIsNotOK(t *testing.T) {
	if r := (Report{}); r.OK() || r.SourcesKept() {
		t.Error("nothing was checked, and it is OK")
	}
}

func TestDownLeavesNothing(t *testing.T) {
	for _, engine := range []EngineKind{EngineNetns, EngineDocker} {
		t.Run(string(engine), func(t *testing.T) {
			name := "t5" + string(engine)
			l := up(t, Options{Name: name, Engine: engine})
			if err := l.Down(t.Context()); err != nil {
				t.Fatal(err)
			}
			assertNothingLeft(t, name)
			if err := Down(t.Context(), name); err != nil {
				t.Errorf("down of what is gone: %v", err)
			}
		})
	}
}

// A lab whose process is killed leaves what it started; Down by name takes all of it.
func TestDownAfterTheLabsProcessWasKilled(t *testing.T) {
	if name := os.Getenv("LAB_TEST_HOLD"); name != "" {
		l, err := Up(t.Context(), Options{Name: name, Engine: EngineKind(os.Getenv("LAB_TEST_ENGINE"))})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.updateInventory(func(v *Inventory) { v.Ready = true }); err != nil {
			t.Fatal(err)
		}
		select {} // until killed
	}
	for _, engine := range []EngineKind{EngineNetns, EngineDocker} {
		t.Run(string(engine), func(t *testing.T) {
			name := "t6" + string(engine)
			killHeldLab(t, name, engine)
			if err := Down(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			assertNothingLeft(t, name)
		})
	}
}

// killHeldLab has another process build a lab and kills it.
func killHeldLab(t *testing.T, name string, kind EngineKind) {
	t.Helper()
	if testing.Short() || !isRoot() {
		t.Skip("needs root, and takes seconds: left out under -short")
	}
	if absent := engine.MissingForDocker(); kind == EngineDocker && len(absent) > 0 {
		t.Skipf("needs Docker: %s", strings.Join(absent, ", "))
	}
	holder := exec.Command(os.Args[0], "-test.run=^TestDownAfterTheLabsProcessWasKilled$")
	holder.Env = append(os.Environ(), "LAB_TEST_HOLD="+name, "LAB_TEST_ENGINE="+string(kind))
	holder.Stdout, holder.Stderr = t.Output(), t.Output()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	ready := waitUntil(t.Context(), time.Minute, func() bool {
		v, err := ReadInventory(name)
		return err == nil && v.Ready
	})
	_ = holder.Process.Signal(syscall.SIGKILL)
	_ = holder.Wait()
	if !ready {
		t.Fatal("the lab did not come up")
	}
}

func assertNothingLeft(t *testing.T, name string) {
	t.Helper()
	if pids := processesOf(name); len(pids) > 0 {
		t.Errorf("processes left: %v", pids)
	}
	if left, err := netns.ListNames(namespaceName(name, "")); err != nil || len(left) > 0 {
		t.Errorf("namespaces left: %v %v", left, err)
	}
	for _, dir := range []string{stateDir(name), dataDir(name), "/sys/fs/cgroup" + cgroupOf(name), "/sys/fs/cgroup/memory" + cgroupOf(name)} {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{stateDir(name) + "/", dataDir(name) + "/", namespaceName(name, "")} {
		if strings.Contains(string(mounts), trace) {
			t.Errorf("a mount with %s is left", trace)
		}
	}
	if _, err := ReadInventory(name); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("state of a lab that is gone: %v", err)
	}
}

func TestRestartDockerWithAnotherBip(t *testing.T) {
	l := up(t, Options{Name: "t7", Engine: EngineDocker, Hosts: 1})
	for _, want := range []string{"10.7.0.1/24", ""} {
		bip, _ := netip.ParsePrefix(want)
		h, err := l.RestartDocker(t.Context(), 1, bip)
		if err != nil {
			t.Fatal(err)
		}
		if !bip.IsValid() {
			bip = engine.DefaultBip()
		}
		c, err := l.Inventory().findContainer(t.Context(), h)
		if err != nil || c.Addr != bip.Addr().Next() {
			t.Errorf("container of %s is at %s, %v", bip, c.Addr, err)
		}
	}
}
