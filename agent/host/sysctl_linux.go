package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctls are named by their path below /proc/sys, which shows those of the network
// namespace of the reading thread.
const (
	procSys   = "/proc/sys/"
	ipForward = "net/ipv4/ip_forward"
)

// planForwarding sets net.ipv4.ip_forward. The kernel then also sets forwarding on every
// interface and turns off conf/all/accept_redirects, so these are remembered with it.
func (h *Host) planForwarding(_ context.Context, w Wish) ([]Step, error) {
	if !w.Forward {
		return nil, nil
	}
	value, err := readSysctl(ipForward)
	if err != nil {
		return nil, err
	}
	if value == "1" {
		if h.mem.Sysctls != nil {
			return nil, nil
		}
		return []Step{{do: func(context.Context) error {
			return h.remember(func(m *memory) { m.Sysctls = map[string]string{ipForward: "1"} })
		}}}, nil
	}
	return []Step{step(KindForwarding, "net.ipv4.ip_forward turned on", "sysctl -w net.ipv4.ip_forward=1", func(context.Context) error {
		if h.mem.Sysctls == nil {
			former, err := forwardingSysctls()
			if err != nil {
				return err
			}
			if err := h.remember(func(m *memory) { m.Sysctls = former }); err != nil {
				return err
			}
		}
		return writeSysctl(ipForward, "1")
	})}, nil
}

// undoForwarding puts ip_forward back if it was us who turned it on first, and after it
// whatever the kernel changed along with it. Interfaces that are gone are left out.
func (h *Host) undoForwarding(context.Context) ([]Step, error) {
	former := h.mem.Sysctls
	if former == nil || former[ipForward] == "1" {
		return nil, nil
	}
	var steps []Step
	for _, name := range append([]string{ipForward}, slices.Sorted(maps.Keys(former))...) {
		value, err := readSysctl(name)
		if errors.Is(err, fs.ErrNotExist) || value == former[name] {
			continue
		}
		if err != nil {
			return steps, err
		}
		dotted := strings.ReplaceAll(name, "/", ".")
		steps = append(steps, step(KindForwarding, dotted+" back to "+former[name], "sysctl -w "+dotted+"="+former[name],
			func(context.Context) error { return writeSysctl(name, former[name]) }))
	}
	return steps, nil
}

func forwardingSysctls() (map[string]string, error) {
	names, err := filepath.Glob(procSys + "net/ipv4/conf/*/forwarding")
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	values := map[string]string{}
	for _, name := range append(names, procSys+ipForward, procSys+"net/ipv4/conf/all/accept_redirects") {
		name = strings.TrimPrefix(name, procSys)
		value, err := readSysctl(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the interface went away since it was listed
		}
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

func readSysctl(name string) (string, error) {
	value, err := os.ReadFile(procSys + name)
	if err != nil {
		return "", fmt.Errorf("read sysctl: %w", err)
	}
	return strings.TrimSpace(string(value)), nil
}

func writeSysctl(name, value string) error {
	if err := os.WriteFile(procSys+name, []byte(value), 0o644); err != nil {
		return fmt.Errorf("write sysctl: %w", hint(err))
	}
	return nil
}

// missing names what this process needs and lacks.
func missing() []string {
	var lacks []string
	if !hasNetAdmin() {
		lacks = append(lacks, "CAP_NET_ADMIN")
	}
	if _, err := (family{}).command(NFT); err != nil {
		lacks = append(lacks, "the command iptables")
	}
	return lacks
}

func hasNetAdmin() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}
