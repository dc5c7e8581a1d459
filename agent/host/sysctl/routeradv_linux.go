package sysctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/agent/host"
)

// RouterAdv is the part that has interfaces go on taking router advertisements when they
// forward.
type RouterAdv struct{ *Settings }

// Plan sets accept_ra where it is needed.
func (s RouterAdv) Plan(_ context.Context, w host.Wish) ([]host.Step, error) {
	deaf, err := s.deafened(w)
	var want []setting
	for _, link := range deaf {
		want = append(want, setting{linkSysctl(host.IPv6, link, "accept_ra"), "2", host.KindSetting})
	}
	steps, failure := s.planValues(want, nil)
	return steps, errors.Join(err, failure)
}

// Undo comes after forwarding is off, and does nothing if it stays on.
func (s RouterAdv) Undo(ctx context.Context) ([]host.Step, error) {
	if s.borrowed(ctx) {
		return nil, nil
	}
	return s.undoValues("accept_ra")
}

// deafened are the interfaces that lose router advertisements, or lost them, by our turning
// IPv6 forwarding on: the kernel then drops the routes learned from them, unless accept_ra
// is 2. Interfaces that forwarded before took none before.
func (s *Settings) deafened(w host.Wish) ([]string, error) {
	six := host.IPv6
	on, err := readValue(ipForward6)
	if !w.Forward || !w.WantsIPv6() || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || on == "1" && !s.made(ipForward6) {
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
		accept, err := readValue(linkSysctl(six, name, "accept_ra"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && accept != "1" {
			continue
		}
		forwarded, failure := s.forwardedBefore(linkSysctl(six, name, "forwarding"))
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
func (s *Settings) forwardedBefore(name string) (bool, error) {
	if former, ok := s.record.Value().Sysctls[name]; ok || s.made(ipForward6) {
		return former == "1", nil
	}
	now, err := readValue(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // gone: nothing to keep
	}
	return now == "1", err
}

// dockers reports whether an interface is a bridge of Docker's, or a port of any bridge,
// which takes no packets for itself.
func dockers(link netlink.Link, all []netlink.Link, w host.Wish) bool {
	a := link.Attrs()
	if link.Type() == "bridge" {
		return slices.ContainsFunc(w.Locals, func(l host.Local) bool { return l.Bridge == a.Name }) ||
			regexp.MustCompile(`^(docker0|docker_gwbridge|br-[0-9a-f]{12})$`).MatchString(a.Name)
	}
	return slices.ContainsFunc(all, func(l netlink.Link) bool {
		return a.MasterIndex == l.Attrs().Index && l.Type() == "bridge"
	})
}
