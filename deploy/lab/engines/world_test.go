package engines

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/engine"
)

// engines chooses what is run: own is the machine's engine alone, all also those that
// roots.sh makes.
var engines = flag.String("engines", "own", "own or all")

// TestMain builds the programs under test once.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

const binEnv = "SEALANE_E2E_BIN"

func run(m *testing.M) int {
	if testing.Short() || os.Geteuid() != 0 || os.Getenv(binEnv) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sealane-engines-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		for _, name := range []string{"sealane", "sealane-agent", "sealane-controller"} {
			build := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", filepath.Join(dir, name), "github.com/sealane/sealane/cmd/"+name)
			build.Env = append(os.Environ(), "CGO_ENABLED=0") // it also runs in the roots
			if out, failed := build.CombinedOutput(); failed != nil {
				err = fmt.Errorf("build %s: %w\n%s", name, failed, out)
			}
		}
	}
	if err == nil {
		err = os.Setenv(binEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// generation is an engine and what it does by default to packets from outside.
type generation struct {
	version string
	root    string // empty: the machine's own
	drops   bool   // it drops whatever comes to a container's own address, from 28.2 on
}

// generations are the engines that can be had here, and a line for each that cannot.
func generations(t *testing.T) (found []generation, missing []string) {
	t.Helper()
	own := ownVersion(t)
	found = []generation{{version: own, drops: dropsAll(t, own)}}
	if *engines != "all" {
		return found, nil
	}
	script := exec.CommandContext(t.Context(), "./roots.sh")
	var problems bytes.Buffer
	script.Stderr = &problems
	out, err := script.Output()
	if err != nil {
		t.Fatalf("roots.sh: %v\n%s", err, problems.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "not run: ") {
			missing = append(missing, lines.Text())
			continue
		}
		version, root, _ := strings.Cut(lines.Text(), " ")
		found = append(found, generation{version: version, root: root, drops: dropsAll(t, version)})
	}
	return found, missing
}

// dropsAll tells the engines that drop whatever comes to a container's own address from those
// that leave it to the policy. 28.0 and 28.1 are in between, and no column here is theirs.
func dropsAll(t *testing.T, version string) bool {
	t.Helper()
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("version %q: %v", version, err)
	}
	if major == 28 && minor < 2 {
		t.Skipf("Docker %s is of a generation that the matrix has no expectations for", version)
	}
	return major >= 28
}

func ownVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dockerd", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	// "Docker version 20.10.24+dfsg1, build 297e128"
	version, _, _ := strings.Cut(strings.TrimPrefix(string(out), "Docker version "), ",")
	version, _, _ = strings.Cut(version, "+")
	return version
}

// world is a lab with what the cells look at.
type world struct {
	*lab.Lab
	hosts []*member
}

// member is a host with its containers.
type member struct {
	lab.Host
	generation
	column string // how the matrix calls it
	open   bool   // the policy of FORWARD is ACCEPT
	app    netip.Prefix
	boxes  map[string]box
}

// box is a container.
type box struct {
	ip    netip.Addr
	netns string
}

// spec asks for a host.
type spec struct {
	generation
	variant string // nft or legacy
	open    bool
	config  string // of dockerd; empty: no options
}

func (s spec) String() string {
	text := s.version + "/" + s.variant
	if s.open {
		text += "/open"
	}
	return text
}

// build makes a lab of these hosts, with containers and a user's network on each.
func build(t *testing.T, name string, specs []spec, flags ...string) *world {
	t.Helper()
	options := lab.Options{
		Name: name, Hosts: len(specs), Engine: lab.EngineDocker, BinDir: os.Getenv(binEnv), Outsider: true, Out: t.Output(),
		AgentFlags: flags,
	}
	for _, s := range specs {
		e := lab.HostEngine{Root: s.root, Forwarding: s.open, Config: s.config}
		if s.root != "" || s.variant == "legacy" {
			e.IPTables = s.variant
		}
		options.Engines = append(options.Engines, e)
	}
	l, err := lab.Up(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w := &world{Lab: l}
	for i, s := range specs {
		h, err := l.Inventory().Host(fmt.Sprint(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		w.hosts = append(w.hosts, &member{
			Host: h, generation: s.generation, column: s.String(), open: s.open, boxes: map[string]box{},
			app: netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", 100+i)),
		})
	}
	var all sync.WaitGroup
	for _, m := range w.hosts {
		all.Go(func() { w.fill(t, m) })
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return w
}

// serve is what every container runs: two ports, of which the first may be published.
const serve = "/bin/busybox httpd -p 0.0.0.0:8082 -h /www; exec /bin/busybox httpd -f -p 0.0.0.0:8080 -h /www"

// fill makes the containers of a host: plain and published, on docker0 and on a network of
// the user's.
func (w *world) fill(t *testing.T, m *member) {
	w.docker(t, m, "network", "create", "--label", "sealane.serve=true", "--subnet", m.app.String(), "app")
	for name, args := range map[string][]string{
		"plain":  {},
		"pub":    {"-p", "8081:8080"},
		"uplain": {"--network", "app"},
		"upub":   {"--network", "app", "-p", "8083:8080"},
	} {
		w.start(t, m, name, args...)
	}
}

// start runs a container that serves, and notes where it is.
func (w *world) start(t *testing.T, m *member, name string, args ...string) box {
	run := append([]string{"run", "-d", "--name", name, "--stop-signal", "KILL"}, args...)
	w.docker(t, m, append(run, engine.ImageName, "/bin/sh", "-c", serve)...)
	return w.look(t, m, name)
}

// look notes where a container is.
func (w *world) look(t *testing.T, m *member, name string) box {
	out := strings.Fields(w.docker(t, m, "inspect", "-f", "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", name))
	if len(out) == 0 {
		return box{}
	}
	b := box{netns: "/proc/" + out[0] + "/ns/net"}
	if len(out) > 1 {
		b.ip, _ = netip.ParseAddr(out[1]) // none without a network of its own
	}
	m.boxes[name] = b
	return b
}

// docker runs Docker's command on a host.
func (w *world) docker(t *testing.T, m *member, args ...string) string {
	return w.on(t, m, append([]string{"docker"}, args...)...)
}

// on runs a command on a host.
func (w *world) on(t *testing.T, m *member, argv ...string) string {
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := w.Inventory().Run(m.Host, cmd); err != nil {
		t.Errorf("%s on %s: %v\n%s%s", strings.Join(argv, " "), m.Name, err, out.String(), problems.String())
	}
	return out.String()
}

func netnsOf(name string) string { return "/run/netns/" + name }

// route puts the routes of all subnets into the VPC by hand, or takes them away.
func (w *world) route(t *testing.T, there bool) {
	t.Helper()
	for _, m := range w.hosts {
		for _, p := range []netip.Prefix{m.Bip.Masked(), m.app} {
			var err error
			if there {
				err = w.Sim().AddRoute(lab.Table, alisim.Route{Destination: p, NextHop: string(m.Instance)})
			} else {
				err = w.Sim().RemoveRoute(lab.Table, p)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// eventually polls until holds says yes. It fails the test with what told tells last.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool, told ...func() any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, last := range told {
				t.Logf("last seen: %+v", last())
			}
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
