package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// cgroupOf is the control group of all containers of a lab; Down finds them by it.
func cgroupOf(lab string) string { return "/sealane-lab-" + lab }

func logPath(lab, part string) string { return filepath.Join(stateDir(lab), "logs", part+".log") }

func dockerSocket(lab string, h Host) string {
	return filepath.Join(stateDir(lab), h.short(), "docker.sock")
}

// hostCommand is the command that runs argv with the host's root file system and search path,
// given that it starts in the host's network namespace.
func (h Host) hostCommand(argv ...string) []string {
	if h.Path != "" {
		argv = slices.Concat([]string{"env", "PATH=" + h.Path}, argv)
	}
	if h.Keeper != 0 {
		argv = slices.Concat([]string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", h.Keeper), "--"}, argv)
	}
	return argv
}

// engineHost is a host of the lab of this name as its engine sees it.
func engineHost(lab string, h Host) engine.Host {
	e := engine.Host{
		Name: h.Name, Namespace: h.Namespace, Bip: h.Bip, Container: namespaceName(lab, "c"+strconv.Itoa(h.Index)), Socket: h.Docker,
		Run: filepath.Join(stateDir(lab), h.short()), Data: filepath.Join(dataDir(lab), h.short()),
		Log: logPath(lab, partDocker+h.short()), Cgroup: cgroupOf(lab), Wrap: h.hostCommand(), Config: h.Engine.Config,
	}
	if h.Keeper == 0 {
		e.Wrap, e.Private = slices.Concat([]string{"/bin/sh", "-c", hideScript, "sh"}, e.Wrap), true
	}
	return e
}

func (v Inventory) findContainer(ctx context.Context, h Host) (engine.Container, error) {
	return engine.FindContainer(ctx, engineHost(v.Name, h))
}

// Stream pings the container of one host from that of another, 20 times a second, until
// the context ends, and counts what was lost. The containers are found at the start.
func (v Inventory) Stream(ctx context.Context, from, to Host) (probe.Traffic, error) {
	near, far, err := v.findPair(ctx, from, to)
	if err != nil {
		return probe.Traffic{}, err
	}
	return probe.Stream(ctx, near.Netns, far.Addr)
}

// HoldConnection waits until the container of one host can connect to that of another over
// TCP, and keeps that one connection, with a line each way ten times a second, until the
// context ends. An error says that the connection broke, or that nothing came through for a
// minute.
func (v Inventory) HoldConnection(ctx context.Context, from, to Host) (probe.Talk, error) {
	near, far, err := v.findPair(ctx, from, to)
	if err != nil {
		return probe.Talk{}, err
	}
	return probe.HoldConnection(ctx, near.Netns, far.Netns, far.Addr)
}

func (v Inventory) findPair(ctx context.Context, from, to Host) (near, far engine.Container, err error) {
	if near, err = v.findContainer(ctx, from); err != nil {
		return near, far, err
	}
	far, err = v.findContainer(ctx, to)
	return near, far, err
}
