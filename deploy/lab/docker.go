package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// dockerEngine runs a real dockerd in each host's namespace, with its own containerd.
type dockerEngine struct {
	lab        string
	supervisor *supervisor.Supervisor
	image      []byte

	mu      sync.Mutex // guards daemons
	daemons map[int]*supervisor.Process
}

func dockerSocket(lab string, h Host) string {
	return filepath.Join(stateDir(lab), h.short(), "docker.sock")
}

// cgroupOf is the control group of all containers of a lab; Down finds them by it.
func cgroupOf(lab string) string { return "/sealane-lab-" + lab }

// args are dockerd's. The storage driver vfs mounts nothing and works on any file system;
// the image is small. The firewall options are Docker's defaults on purpose.
func (e *dockerEngine) args(h Host) []string {
	run, data := filepath.Join(stateDir(e.lab), h.short()), filepath.Join(dataDir(e.lab), h.short())
	args := []string{
		"dockerd", "--config-file", filepath.Join(run, "daemon.json"),
		"--data-root", data, "--exec-root", filepath.Join(run, "exec"),
		"--pidfile", filepath.Join(run, "docker.pid"), "-H", "unix://" + h.Docker,
		"--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", cgroupOf(e.lab),
	}
	if h.Bip.IsValid() {
		args = append(args, "--bip", h.Bip.String())
	}
	return args
}

func (e *dockerEngine) start(ctx context.Context, h Host) error {
	run := filepath.Join(stateDir(e.lab), h.short())
	if err := os.MkdirAll(run, 0o755); err != nil {
		return fmt.Errorf("start Docker on %s: %w", h.Name, err)
	}
	if err := os.WriteFile(filepath.Join(run, "daemon.json"), []byte("{}\n"), 0o600); err != nil {
		return fmt.Errorf("start Docker on %s: %w", h.Name, err)
	}
	c := supervisor.Command{
		Name: partDocker + h.short(), Argv: h.hostCommand(e.args(h)...), Netns: h.Namespace,
		Log: logPath(e.lab, partDocker+h.short()),
	}
	if h.Keeper == 0 {
		c.Argv, c.Private = slices.Concat([]string{"/bin/sh", "-c", hideScript, "sh"}, c.Argv), true
	}
	daemon, err := e.supervisor.StartProcess(ctx, c)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.daemons[h.Index] = daemon
	e.mu.Unlock()
	api := dockerAPI(h.Docker)
	if err := daemon.Await(ctx, api.ping); err != nil {
		return err
	}
	if err := api.runWeb(ctx, e.image); err != nil {
		return fmt.Errorf("run the container of %s: %w", h.Name, err)
	}
	return daemon.Await(ctx, func(ctx context.Context) error { return checkService(ctx, e.lab, h) })
}

func (e *dockerEngine) stop(h Host) {
	e.mu.Lock()
	daemon := e.daemons[h.Index]
	delete(e.daemons, h.Index)
	e.mu.Unlock()
	if daemon != nil {
		daemon.Stop(20 * time.Second)
	}
}

// process finds a host's dockerd, for Signal.
func (e *dockerEngine) process(h Host) *supervisor.Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.daemons[h.Index]
}

// forgetNetwork lets Docker choose as if it had never run here: without a bip it keeps the
// address that it finds on docker0, and what its own store says.
func (e *dockerEngine) forgetNetwork(h Host) error {
	if err := removeBridge(h); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dataDir(e.lab), h.short(), "network")); err != nil {
		return fmt.Errorf("remove Docker's networks of %s: %w", h.Name, err)
	}
	return nil
}

func removeBridge(h Host) error {
	err := netns.WithLinks(h.Namespace, func(n *netlink.Handle) error {
		link, err := n.LinkByName("docker0")
		if err != nil {
			return err
		}
		return n.LinkDel(link)
	})
	if err != nil {
		return fmt.Errorf("remove docker0 of %s: %w", h.Name, err)
	}
	return nil
}

// newDockerEngine makes the engine; nothing runs yet.
func newDockerEngine(lab string, s *supervisor.Supervisor) (*dockerEngine, error) {
	busybox, err := findBusybox()
	if err != nil {
		return nil, err
	}
	image, err := imageTar(busybox)
	if err != nil {
		return nil, err
	}
	return &dockerEngine{lab: lab, supervisor: s, image: image, daemons: make(map[int]*supervisor.Process)}, nil
}

func logPath(lab, part string) string { return filepath.Join(stateDir(lab), "logs", part+".log") }

// containerConfig is the body of POST /containers/create. Docker starts containers of the
// default network in order, so that the first gets the bip's next address.
func containerConfig() ([]byte, error) {
	return json.Marshal(map[string]any{
		"Image": ImageName, "Hostname": containerName,
		"Cmd":        []string{"/bin/busybox", "httpd", "-f", "-p", fmt.Sprintf("0.0.0.0:%d", probe.ServicePort), "-h", "/www"},
		"StopSignal": "SIGKILL", // the first process of a container ignores SIGTERM, docker stop would wait 10 s
	})
}
