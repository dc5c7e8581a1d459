package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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

// ofLink names a sysctl of one interface, or of "all" or "default".
func linkSysctl(f host.Family, link, name string) string {
	if f == host.IPv6 {
		return "net/ipv6/conf/" + link + "/" + name
	}
	return "net/ipv4/conf/" + link + "/" + name
}

// forward names the sysctl that turns the family's forwarding on and off.
func forwardSysctl(f host.Family) string {
	if f == host.IPv6 {
		return ipForward6
	}
	return ipForward
}

// flips reads what the kernel sets along whenever forwarding is turned on or off: that of
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
		value, err := readSysctl(name)
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

func readSysctl(name string) (string, error) {
	value, err := os.ReadFile(procSys + name)
	if err != nil {
		return "", fmt.Errorf("read sysctl: %w", err)
	}
	return strings.TrimSpace(string(value)), nil
}

func writeSysctl(name, value string) error {
	if err := os.WriteFile(procSys+name, []byte(value), 0o644); err != nil {
		return fmt.Errorf("write sysctl: %w", kernel.Explain(err))
	}
	return nil
}
