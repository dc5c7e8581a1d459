package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/vishvananda/netlink"
)

// planRouterAdv has interfaces go on taking router advertisements when they forward.
func (h *Host) planRouterAdv(_ context.Context, w Wish) ([]Step, error) {
	deaf, err := h.deafened(w)
	var want []setting
	for _, link := range deaf {
		want = append(want, setting{family{v6: true}.ofLink(link, "accept_ra"), "2", KindSetting})
	}
	steps, failure := h.planSettings(want, nil)
	return steps, errors.Join(err, failure)
}

// wants6 reports whether a subnet of this host is one of IPv6.
func (w Wish) wants6() bool {
	return slices.ContainsFunc(w.Locals, func(l Local) bool { return l.Prefix.Addr().Is6() })
}

// deafened are the interfaces that lose router advertisements, or lost them, by our turning
// IPv6 forwarding on: the kernel then drops the routes learned from them, unless accept_ra
// is 2. Interfaces that forwarded before took none before.
func (h *Host) deafened(w Wish) ([]string, error) {
	six := family{v6: true}
	on, err := readSysctl(ipForward6)
	if !w.Forward || !w.wants6() || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || on == "1" && !h.made(ipForward6) {
		return nil, err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var deaf []string
	for _, link := range links {
		name := link.Attrs().Name
		if name == "lo" || dockers(link, links, w) {
			continue
		}
		accept, err := readSysctl(six.ofLink(name, "accept_ra"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && accept != "1" {
			continue
		}
		forwarded, failure := h.forwardedBefore(six.ofLink(name, "forwarding"))
		if err = errors.Join(err, failure); err != nil {
			return nil, err
		}
		if !forwarded {
			deaf = append(deaf, name)
		}
	}
	slices.Sort(deaf)
	return deaf, nil
}

// forwardedBefore reports whether an interface forwarded IPv6 before it was turned on. One
// that came since would not have.
func (h *Host) forwardedBefore(name string) (bool, error) {
	if former, ok := h.mem.Sysctls[name]; ok || h.made(ipForward6) {
		return former == "1", nil
	}
	now, err := readSysctl(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // gone: nothing to keep
	}
	return now == "1", err
}

// dockers reports whether an interface is a bridge of Docker's, or a port of any bridge,
// which takes no packets for itself.
func dockers(link netlink.Link, all []netlink.Link, w Wish) bool {
	a := link.Attrs()
	if link.Type() == "bridge" {
		return slices.ContainsFunc(w.Locals, func(l Local) bool { return l.Bridge == a.Name }) ||
			regexp.MustCompile(`^(docker0|docker_gwbridge|br-[0-9a-f]{12})$`).MatchString(a.Name)
	}
	return slices.ContainsFunc(all, func(l netlink.Link) bool {
		return a.MasterIndex == l.Attrs().Index && l.Type() == "bridge"
	})
}
