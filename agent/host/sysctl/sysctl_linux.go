// Package sysctl sets the kernel's settings that a host needs, in the network namespace of the
// calling process: forwarding, reverse path filters, router advertisements. It remembers what
// they were, and writes those that are to outlive a reboot to a file of sysctl.d.
package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// sysctls are named by their path below /proc/sys, which shows those of the network
// namespace of the reading thread.
const (
	procSys    = "/proc/sys/"
	ipForward  = "net/ipv4/ip_forward"
	ipForward6 = "net/ipv6/conf/all/forwarding"
)

// linkSysctl names a sysctl of one interface, or of "all" or "default".
func linkSysctl(f host.Family, link, name string) string {
	return "net/" + host.ByFamily(f, "ipv4", "ipv6") + "/conf/" + link + "/" + name
}

// forwardSysctl names the one that turns the family's forwarding on and off.
func forwardSysctl(f host.Family) string { return host.ByFamily(f, ipForward, ipForward6) }

// forwardFlips reads what the kernel sets along whenever forwarding is turned on or off: that of
// each interface and of those to come, and for IPv4 whether redirects are accepted.
func forwardFlips(f host.Family) (map[string]string, error) {
	paths, err := filepath.Glob(procSys + linkSysctl(f, "*", "forwarding"))
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	if f == host.IPv4 {
		paths = append(paths, procSys+linkSysctl(f, "all", "accept_redirects"))
	}
	values := map[string]string{}
	for _, path := range paths {
		name := strings.TrimPrefix(path, procSys)
		value, err := readValue(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the interface went away since it was listed
		}
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	delete(values, forwardSysctl(f))
	return values, nil
}

// flipped is what the kernel sets one of the flips to when forwarding becomes this.
func flipped(name, forwarding string) string {
	if !strings.HasSuffix(name, "/accept_redirects") {
		return forwarding
	}
	if forwarding == "0" { // a router accepts none
		return "1"
	}
	return "0"
}

// dotted is a name as sysctl and sysctl.d write it: with dots, and with slashes for the dots
// in the name of an interface.
func dotted(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, name)
}

func readValue(name string) (string, error) {
	value, err := os.ReadFile(procSys + name)
	if err != nil {
		return "", fmt.Errorf("read sysctl: %w", err)
	}
	return strings.TrimSpace(string(value)), nil
}

func writeValue(name, value string) error {
	if err := os.WriteFile(procSys+name, []byte(value), 0o644); err != nil {
		return fmt.Errorf("write sysctl: %w", kernel.Explain(err))
	}
	return nil
}

// Forwards reports whether the kernel forwards IPv4.
func Forwards() (bool, error) {
	on, err := readValue(ipForward)
	return on == "1", err
}

// Writable reports whether settings can be changed at all; in a container /proc/sys is
// read-only, unless that is privileged.
func Writable() bool {
	return !errors.Is(unix.Access(procSys+ipForward, unix.W_OK), unix.EROFS)
}

// EffectiveReversePath is the filter in effect on an interface, which is the larger of its own and
// the one for all (ip-sysctl.rst of the kernel); 0 if there is no such interface.
func EffectiveReversePath(link string) (int, error) {
	if link == "" {
		return 0, nil
	}
	effective := "0"
	for _, of := range []string{"all", link} {
		value, err := readValue(linkSysctl(host.IPv4, of, "rp_filter"))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		effective = max(effective, value)
	}
	return int(effective[0] - '0'), nil
}

// BridgeNetfilter reports whether br_netfilter is loaded and on. It is told only: traffic
// between hosts passes the same with and without it.
func BridgeNetfilter() bool {
	value, err := readValue("net/bridge/bridge-nf-call-iptables")
	return err == nil && value == "1"
}
