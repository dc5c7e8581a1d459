package engine

import (
	"cmp"
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

// Docker runs a real dockerd in each host's namespace, with its own containerd.
type Docker struct {
	supervisor *supervisor.Supervisor
	image      []byte

	mu      sync.Mutex // guards daemons
	daemons map[string]*supervisor.Process
}

// NewDocker makes the engine; nothing runs yet.
func NewDocker(s *supervisor.Supervisor) (*Docker, error) {
	busybox, err := findBusybox()
	if err != nil {
		return nil, err
	}
	image, err := imageTar(busybox)
	if err != nil {
		return nil, err
	}
	return &Docker{supervisor: s, image: image, daemons: make(map[string]*supervisor.Process)}, nil
}

// dockerdArgs are dockerd's. The storage driver vfs mounts nothing and works on any file system;
// the image is small. The firewall options are Docker's defaults on purpose.
func dockerdArgs(h Host) []string {
	args := []string{
		"dockerd", "--config-file", filepath.Join(h.Run, "daemon.json"),
		"--data-root", h.Data, "--exec-root", filepath.Join(h.Run, "exec"),
		"--pidfile", filepath.Join(h.Run, "docker.pid"), "-H", "unix://" + h.Socket,
		"--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", h.Cgroup,
	}
	if h.Bip.IsValid() {
		args = append(args, "--bip", h.Bip.String())
	}
	return args
}

// StartHost starts dockerd and the container web.
func (e *Docker) StartHost(ctx context.Context, h Host) error {
	if err := os.MkdirAll(h.Run, 0o755); err != nil {
		return fmt.Errorf("start Docker on %s: %w", h.Name, err)
	}
	if err := os.WriteFile(filepath.Join(h.Run, "daemon.json"), []byte(cmp.Or(h.Config, "{}\n")), 0o600); err != nil {
		return fmt.Errorf("start Docker on %s: %w", h.Name, err)
	}
	daemon, err := e.supervisor.StartProcess(ctx, supervisor.Command{
		Name: "dockerd of " + h.Name, Argv: slices.Concat(h.Wrap, dockerdArgs(h)), Netns: h.Namespace, Log: h.Log, Private: h.Private,
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.daemons[h.Name] = daemon
	e.mu.Unlock()
	web, err := dialDocker(h.Socket)
	if err != nil {
		return err
	}
	if err := daemon.Await(ctx, web.ping); err != nil {
		return err
	}
	if err := web.runWeb(ctx, e.image); err != nil {
		return fmt.Errorf("run the container of %s: %w", h.Name, err)
	}
	return daemon.Await(ctx, func(ctx context.Context) error { return CheckService(ctx, h) })
}

// StopHost stops dockerd.
func (e *Docker) StopHost(h Host) {
	e.mu.Lock()
	daemon := e.daemons[h.Name]
	delete(e.daemons, h.Name)
	e.mu.Unlock()
	if daemon != nil {
		daemon.Stop(20 * time.Second)
	}
}

// FindDaemon finds a host's dockerd; nil when it does not run.
func (e *Docker) FindDaemon(h Host) *supervisor.Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.daemons[h.Name]
}

// ForgetNetwork lets Docker choose as if it had never run here: without a bip it keeps the
// address that it finds on docker0, and what its own store says.
func (e *Docker) ForgetNetwork(h Host) error {
	if err := removeBridge(h); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(h.Data, "network")); err != nil {
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

// containerConfig is the body of POST /containers/create. Docker starts containers of the
// default network in order, so that the first gets the bip's next address.
func containerConfig() ([]byte, error) {
	return json.Marshal(map[string]any{
		"Image": ImageName, "Hostname": containerName,
		"Cmd":        []string{"/bin/busybox", "httpd", "-f", "-p", fmt.Sprintf("0.0.0.0:%d", probe.ServicePort), "-h", "/www"},
		"StopSignal": "SIGKILL", // the first process of a container ignores SIGTERM, docker stop would wait 10 s
	})
}
