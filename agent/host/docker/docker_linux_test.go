package docker_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/docker"
)

// TestDocker looks at and follows a real engine while a network comes and goes, and while it
// is restarted.
func TestDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("needs seconds: starts a Docker engine")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: to start a Docker engine")
	}
	for _, tool := range []string{"dockerd", "docker"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := filepath.Dir(newFake(t).socket)
	c := dial(t, filepath.Join(dir, "sock"))
	wakes := follow(t, c)
	stop := startDocker(t, dir)
	wantWake(t, wakes, "the engine is there")
	first := look(t, c)
	if n := first.Networks; len(n) != 1 || n[0].Bridge != "docker0" || !n[0].Default || !n[0].ICC || first.Version == "" || first.Backend != host.BackendIPTables {
		t.Errorf("have %+v", first)
	}

	runDocker(t, dir, "network", "create", "--internal", "--label", "a=b", "--subnet", "10.250.0.0/24", "-o", "com.docker.network.bridge.enable_icc=false", "own")
	wantWake(t, wakes, "a network made")
	made := look(t, c)
	if len(made.Networks) != 2 {
		t.Fatalf("have %+v", made)
	}
	own := made.Networks[1]
	if out := runDocker(t, dir, "network", "inspect", "-f", "{{.ID}}", "own"); own.ID != out {
		t.Errorf("have id %s, docker says %s", own.ID, out)
	}
	if own.Name != "own" || !own.Internal || own.ICC || own.Labels["a"] != "b" || len(own.Subnets) != 1 || own.Subnets[0].String() != "10.250.0.0/24" {
		t.Errorf("have %+v", own)
	}
	runDocker(t, dir, "network", "rm", "own")
	wantWake(t, wakes, "a network removed")

	stop()
	startDocker(t, dir)
	wantWake(t, wakes, "the engine is back")
	if again := look(t, c); again.Networks[0].ID == first.Networks[0].ID {
		t.Error("the engine is not another: the default network has the same id")
	}
}

func look(t *testing.T, c *docker.Client) host.Engine {
	t.Helper()
	began := time.Now()
	e, err := c.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("looked for %s", time.Since(began))
	return e
}

// startDocker starts an engine in namespaces of its own, where it sees nothing of the
// machine's: neither its network nor its containerd.
func startDocker(t *testing.T, dir string) (stop func()) {
	t.Helper()
	const script = `for d in /run/containerd /etc/docker /opt/containerd; do
	mkdir -p "$d" && mount -t tmpfs tmpfs "$d" || exit 1
done
exec dockerd --config-file "$1/daemon.json" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --bip 10.251.0.1/24 \
	--storage-driver vfs --log-level warn -H "unix://$1/sock"`
	if err := os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := exec.Command("sh", "-c", script, "sh", dir)
	var output bytes.Buffer
	d.Stdout, d.Stderr = &output, &output
	// It ends with the test at the latest, even a killed one. The signal for it comes when the
	// thread ends that started it, so that one waits.
	d.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := d.Start()
		started <- err
		if err == nil {
			_ = d.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = d.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("dockerd:\n%s", output.String())
		}
	})
	return stop
}

// runDocker is what the command line says, without the line's end.
func runDocker(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", append([]string{"-H", "unix://" + dir + "/sock"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, out)
	}
	return string(bytes.TrimSpace(out))
}
