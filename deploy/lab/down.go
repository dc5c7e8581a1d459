package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/supervisor"
)

// Down takes away all of the lab of this name, whatever state it is in, and whoever made
// it. Where another process holds the lab, that is asked to end first. Down of a lab that
// is not there does nothing.
func Down(ctx context.Context, name string) error {
	v, err := ReadInventory(name)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		if checkName(name) != nil {
			return err
		}
		v = Inventory{Name: name} // a state file that cannot be read must not keep the lab alive
	}
	if errors.Is(err, api.ErrNotFound) && !isRoot() {
		return nil // without root nothing could be removed, and there is no lab to speak of
	}
	v.Name = name
	if v.Supervisor.IsAlive() && v.Supervisor != supervisor.This() {
		if err := endSupervisor(ctx, v.Supervisor); err != nil {
			return err
		}
	}
	return withLabLock(ctx, func() error {
		if now, err := ReadInventory(name); err == nil && now.Supervisor != v.Supervisor && now.Supervisor.IsAlive() {
			return nil // the lab is gone, and a later one of the same name is not meant
		}
		return v.remove(ctx)
	})
}

// endSupervisor asks the process that holds the lab to take it down, and waits for it.
func endSupervisor(ctx context.Context, p supervisor.ID) error {
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the lab's process %d: %w", p.PID, err)
	}
	if waitUntil(ctx, 60*time.Second, func() bool { return !p.IsAlive() }) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the lab's process %d to end: %w", p.PID, err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill the lab's process %d: %w", p.PID, err)
	}
	waitUntil(ctx, 5*time.Second, func() bool { return !p.IsAlive() })
	return nil
}

// remove removes what is left of the lab, and what labs share if it was the last. The caller holds the labs' lock.
func (v Inventory) remove(ctx context.Context) error {
	return errors.Join(v.removeParts(ctx), unmakeHidden())
}

// removeParts removes by name what is left: processes, mounts, namespaces and with them links
// and routes, control groups, files. Each step is tried though another failed. The caller holds the labs' lock.
func (v Inventory) removeParts(ctx context.Context) error {
	failures := []error{endProcesses(ctx, v.Name)}
	for _, dir := range []string{stateDir(v.Name), dataDir(v.Name)} {
		failures = append(failures, unmountBelow(dir))
	}
	namespaces, err := netns.ListNames(namespaceName(v.Name, ""))
	failures = append(failures, err)
	for _, ns := range namespaces {
		failures = append(failures, netns.Remove(ns))
	}
	removeGroups(v.Name)
	failures = append(failures, os.RemoveAll(dataDir(v.Name)))
	// The state file goes last: with it, Down can be repeated.
	failures = append(failures, os.RemoveAll(stateDir(v.Name)))
	_ = os.Remove(filepath.Dir(dataDir(v.Name))) // it stays while other labs are in it
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("take lab %s down: %w", v.Name, err)
	}
	return nil
}

// endProcesses ends every process that is in a namespace or a control group of the lab, or
// was started with its mark.
func endProcesses(ctx context.Context, name string) error {
	for _, attempt := range []struct {
		sig   syscall.Signal
		grace time.Duration
	}{{syscall.SIGTERM, 15 * time.Second}, {syscall.SIGKILL, 10 * time.Second}} {
		for _, pid := range processesOf(name) {
			_ = syscall.Kill(pid, syscall.SIGCONT)
			_ = syscall.Kill(pid, attempt.sig)
		}
		if waitUntil(ctx, attempt.grace, func() bool { return len(processesOf(name)) == 0 }) {
			return nil
		}
	}
	return fmt.Errorf("processes %v do not end", processesOf(name))
}

// processesOf lists the processes of a lab, leaving out this one and those that have ended.
func processesOf(name string) []int {
	namespaces, err := netns.ListNames(namespaceName(name, ""))
	if err != nil {
		return nil
	}
	var inodes []uint64
	for _, ns := range namespaces {
		if inode := inodeOf(netns.Path(ns)); inode != 0 {
			inodes = append(inodes, inode)
		}
	}
	var pids []int
	mark := []byte("\x00" + markOf(name) + "\x00")
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range entries {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "%d", &pid); err != nil || pid == os.Getpid() || supervisor.StartTime(pid) == "" {
			continue
		}
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if slices.Contains(inodes, inodeOf(filepath.Join(dir, "ns/net"))) ||
			bytes.Contains(groups, []byte(cgroupOf(name)+"/")) ||
			bytes.Contains(slices.Concat([]byte{0}, environ), mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func inodeOf(path string) uint64 {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}

// unmountBelow unmounts what is mounted below a directory, the last mounted first.
func unmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	var points []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// proc(5): the fifth field is the mount point
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	var failures []error
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			failures = append(failures, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(failures...)
}

// removeGroups removes the containers' control groups, in each hierarchy there is.
func removeGroups(name string) {
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		tops, _ := filepath.Glob(pattern + cgroupOf(name))
		for _, top := range tops {
			var dirs []string
			_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for _, dir := range slices.Backward(dirs) {
				_ = os.Remove(dir) // a group that is still in use is empty of our processes, and harmless
			}
		}
	}
}

// waitUntil polls until done says so, and tells whether it did in time.
func waitUntil(ctx context.Context, limit time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return done()
		}
	}
	return true
}
