package machine_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

const busybox = "/usr/bin/busybox"

// TestDocker joins two real engines, each in a namespace, by a third that routes as a VPC
// does, and looks with packets: containers do not reach each other before, do so after,
// with the sender's own address once that is wished for, and no longer when all is undone.
// A machine that is no host of ours never reaches a container.
func TestDocker(t *testing.T) {
	needRoot(t)
	if testing.Short() {
		t.Skip("starts engines: left out under -short")
	}
	for _, tool := range []string{"dockerd", "docker", "nsenter", busybox} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if !static(t, busybox) {
		t.Skipf("needs %s to be static: the containers have no libraries", busybox)
	}
	router := newSpace(t, "host-vpc")
	a, b := newEngine(t, router, 1), newEngine(t, router, 2)
	a.start(t)
	b.start(t)
	a.wantHidden(t)
	before := [2]string{a.dump(t), b.dump(t)}
	a.wantPing(t, b, false)

	w := [2]host.Wish{wishOf(a, b), wishOf(b, a)}
	a.apply(t, w[0])
	b.apply(t, w[1])
	a.wantPing(t, b, true)
	b.wantPing(t, a, true)
	b.wantSource(t, a.uplink.Addr(), true)
	b.wantSource(t, a.container, false)
	if router.run("ping", "-c1", "-W1", b.container.String()) == nil {
		t.Error("the router, no host of ours, reaches a container")
	}

	// What began masqueraded goes on as it is through the change; what begins after it shows
	// the container's own address.
	rest := a.startPing(t, b)
	say := a.connect(t, b)
	say("before")
	w[0].KeepFrom, w[0].Keep = []netip.Prefix{w[0].Locals[0].Prefix}, w[0].Remotes
	w[1].KeepFrom, w[1].Keep = []netip.Prefix{w[1].Locals[0].Prefix}, w[1].Remotes
	a.apply(t, w[0])
	b.apply(t, w[1])
	say("after")
	if out := rest(); !strings.Contains(out, " 0% packet loss") {
		t.Errorf("the running ping lost packets:\n%s", out)
	}
	b.wantSource(t, a.container, false)
	a.wantPing(t, b, true)
	b.wantSource(t, a.container, true)
	say("in the end")

	// Docker puts its masquerade first for a new network; that must not outrank us.
	a.must(t, "network", "create", "more")
	a.wantPing(t, b, true)
	b.wantSource(t, a.container, true)
	if again := a.apply(t, w[0]); len(again) > 0 {
		t.Errorf("a new network made us repair %v", again)
	}
	a.must(t, "network", "rm", "more")

	for i, e := range []*engine{a, b} {
		e.in(t, func() {
			if _, err := e.host.Restore(t.Context()); err != nil {
				t.Errorf("restore: %v", err)
			}
		})
		if after := e.dump(t); after != before[i] {
			t.Errorf("host %s is not as before:\n%s\n--- before\n%s", e.name, after, before[i])
		}
	}
	a.wantPing(t, b, false)
}

// space is a network namespace.
type space struct {
	name   string
	handle netns.NsHandle
}

func newSpace(t *testing.T, name string) *space {
	t.Helper()
	name = fmt.Sprintf("%s-%d", name, os.Getpid())
	shell(t, "ip netns add "+name)
	t.Cleanup(func() { shell(t, "ip netns del "+name) })
	handle, err := netns.GetFromName(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = handle.Close() })
	s := &space{name, handle}
	s.in(t, func() { shell(t, "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward") })
	return s
}

// in runs f on a thread within the namespace.
func (s *space) in(t *testing.T, f func()) {
	t.Helper()
	if err := s.call(func() error { f(); return nil }); err != nil {
		t.Fatal(err)
	}
}

// call is in, for what may run when the test has ended.
func (s *space) call(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		defer close(done)      // also when f ends the test
		err := netns.Set(s.handle)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func (s *space) run(args ...string) error {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + s.name}, args...)...).Run()
}

// engine is a host with a real Docker engine and one container.
type engine struct {
	*space
	host      *machine.Host
	dir       string
	config    string // daemon.json
	bip       netip.Prefix
	uplink    netip.Prefix
	container netip.Addr
}

// newEngine makes host number n, 10.n.0.0/24 behind 192.168.n.2, at the router.
func newEngine(t *testing.T, router *space, n int) *engine {
	t.Helper()
	dir := t.TempDir()
	e := &engine{
		space: newSpace(t, fmt.Sprintf("host-%d", n)), dir: dir, config: "{}",
		bip:    netip.MustParsePrefix(fmt.Sprintf("10.%d.0.1/24", n)),
		uplink: netip.MustParsePrefix(fmt.Sprintf("192.168.%d.2/24", n)),
		host:   machine.New(machine.Options{StateDir: filepath.Join(dir, "agent")}),
	}
	shell(t, fmt.Sprintf(`
		ip link add eth0 netns %[1]s type veth peer name to%[2]d netns %[3]s
		nsenter --net=/run/netns/%[1]s sh -ec 'echo 0 > /proc/sys/net/ipv4/ip_forward; ip addr add 192.168.%[2]d.2/24 dev eth0; ip link set eth0 up; ip route add default via 192.168.%[2]d.1'
		nsenter --net=/run/netns/%[3]s sh -ec 'ip addr add 192.168.%[2]d.1/24 dev to%[2]d; ip link set to%[2]d up; ip route add 10.%[2]d.0.0/24 via 192.168.%[2]d.2'`,
		e.name, n, router.name))
	return e
}

// start starts the engine and its container.
func (e *engine) start(t *testing.T) {
	t.Helper()
	config := filepath.Join(e.dir, "daemon.json")
	if err := os.WriteFile(config, []byte(e.config), 0o600); err != nil {
		t.Fatal(err)
	}
	// ip netns exec would hide the cgroups, nsenter does not.
	d := exec.Command("nsenter", "--net=/run/netns/"+e.name, "sh", "-c", hide, "sh", "dockerd", "--config-file", config, "--bip", e.bip.String(),
		"--log-level", "warn", "--data-root", e.dir+"/data", "--exec-root", e.dir+"/exec", "--pidfile", e.dir+"/pid", "-H", e.socket())
	var output bytes.Buffer
	d.Stdout, d.Stderr = &output, &output
	ended := launch(t, d)
	t.Cleanup(func() {
		_ = e.docker("rm", "-f", "one").Run()
		_ = d.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("dockerd of %s:\n%s", e.name, output.String())
		}
	})
	await(t, "dockerd", func() bool { return e.docker("version").Run() == nil })
	load := e.docker("import", "-", "busybox")
	load.Stdin = image(t)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	e.must(t, "run", "-d", "--name", "one", "busybox", "/bin/busybox", "sleep", "600")
	ip := e.must(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "one")
	e.container = netip.MustParseAddr(strings.TrimSpace(ip))
}

// hide starts an engine that sees nothing of the machine's own: it would share a containerd
// that it finds at its default socket, keeps a key in /etc/docker, and containerd makes
// /opt/containerd. The directories stay, empty, as another engine may have mounted there.
const hide = `for d in /run/containerd /etc/docker /opt/containerd; do
	mkdir -p "$d" && mount -t tmpfs tmpfs "$d" || exit 1
done
exec "$@"`

// launch starts a command in a mount namespace of its own. It ends with the test at the
// latest, also when that is killed. The signal for it comes when the thread ends that
// started the command, so that one waits.
func launch(t *testing.T, cmd *exec.Cmd) (ended <-chan struct{}) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return done
}

func (e *engine) socket() string { return "unix://" + e.dir + "/sock" }

func (e *engine) docker(args ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"-H", e.socket()}, args...)...)
}

func (e *engine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.docker(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (e *engine) apply(t *testing.T, w host.Wish) (repairs []host.Repair) {
	t.Helper()
	e.in(t, func() {
		out := e.host.Apply(t.Context(), w)
		if err := out.Err(); err != nil {
			t.Errorf("apply on %s: %v", e.name, err)
		}
		repairs = out.Repairs
	})
	return repairs
}

func (e *engine) dump(t *testing.T) (text string) {
	t.Helper()
	e.in(t, func() { text = dump(t) })
	return text
}

func (e *engine) wantPing(t *testing.T, to *engine, want bool) {
	t.Helper()
	out, err := e.docker("exec", "one", "/bin/busybox", "ping", "-c1", "-W1", to.container.String()).CombinedOutput()
	if (err == nil) != want {
		t.Errorf("ping from %s to %s: %v, want success %t\n%s", e.container, to.container, err, want, out)
	}
}

// startPing starts a ping of four packets and returns when the first is answered, with
// what waits for the others and tells their fate.
func (e *engine) startPing(t *testing.T, to *engine) (rest func() string) {
	t.Helper()
	ping := e.docker("exec", "one", "/bin/busybox", "ping", "-c4", "-W1", to.container.String())
	pipe, err := ping.StdoutPipe()
	if err == nil {
		err = ping.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && !strings.Contains(lines.Text(), "seq=0") {
		continue
	}
	return func() string {
		var out strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&out, lines.Text())
		}
		if err := ping.Wait(); err != nil {
			t.Errorf("ping: %v", err)
		}
		return out.String()
	}
}

// connect opens a TCP connection to the other's container. What is said over it must come
// back.
func (e *engine) connect(t *testing.T, to *engine) (say func(text string)) {
	t.Helper()
	to.must(t, "exec", "-d", "one", "/bin/busybox", "nc", "-l", "-p", "7", "-e", "/bin/busybox", "cat")
	await(t, "echo", func() bool {
		out, err := to.docker("exec", "one", "/bin/busybox", "netstat", "-ltn").Output()
		return err == nil && strings.Contains(string(out), ":7 ")
	})
	client := e.docker("exec", "-i", "one", "/bin/busybox", "nc", to.container.String(), "7")
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = client.Process.Kill()
		_ = client.Wait()
	})
	heard := make(chan string)
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			select {
			case heard <- lines.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return func(text string) {
		t.Helper()
		if _, err := fmt.Fprintln(in, text); err != nil {
			t.Errorf("say %q over the held connection: %v", text, err)
		}
		select {
		case have, open := <-heard:
			if have != text {
				t.Errorf("said %q over the held connection, heard %q (open: %t)", text, have, open)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("said %q over the held connection, heard nothing", text)
		}
	}
}

// wantSource wants that the host has, or has not, seen a ping from this source.
func (e *engine) wantSource(t *testing.T, source netip.Addr, want bool) {
	t.Helper()
	if have := e.sees(t, source); have != want {
		t.Errorf("%s saw a ping from %s: %t, want %t", e.name, source, have, want)
	}
}

func (e *engine) sees(t *testing.T, source netip.Addr) (seen bool) {
	t.Helper()
	e.in(t, func() {
		flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
		if err != nil {
			t.Errorf("list connections: %v", err)
		}
		seen = slices.ContainsFunc(flows, func(f *netlink.ConntrackFlow) bool {
			return f.Forward.Protocol == unix.IPPROTO_ICMP && f.Forward.SrcIP.Equal(source.AsSlice())
		})
	})
	return seen
}

func wishOf(own, other *engine) host.Wish {
	return host.Wish{
		Uplink: "eth0", Forward: true,
		Locals:  []host.Local{{Prefix: own.bip.Masked(), Bridge: "docker0"}},
		Remotes: []netip.Prefix{other.bip.Masked()},
		Peers:   []netip.Addr{other.uplink.Addr()},
	}
}

// wantHidden wants that the engine sees nothing of the machine's own.
func (e *engine) wantHidden(t *testing.T) {
	t.Helper()
	pid, err := os.ReadFile(e.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/run/containerd", "/etc/docker", "/opt/containerd"} {
		if !strings.Contains(string(mounts), " / "+dir+" ") {
			t.Errorf("the engine sees the machine's %s", dir)
		}
	}
}

// static reports whether a program needs no loader.
func static(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Skipf("needs %s to be a program: %v", path, err)
	}
	defer func() { _ = f.Close() }()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// image is a root file system with busybox in it.
func image(t *testing.T) *bytes.Buffer {
	t.Helper()
	binary, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	err = w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(binary))})
	if err == nil {
		_, err = w.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &image
}

// await polls until something is so, for half a minute at most.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: waited in vain", what)
		}
	}
}
