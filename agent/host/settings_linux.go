package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/api"
)

// setting is a sysctl and the value it is to have.
type setting struct {
	name, value string
	kind        Kind
}

// forwardingOf are the settings that make a family forward between the uplink and the
// bridges. Turning it on turns it on for each interface; where it is on, somebody may have
// turned it off for one, which drops all packets that come in there (IPv4 only: of IPv6 the
// kernel looks at the one for all).
func (f family) forwardingOf(w Wish) ([]setting, error) {
	on, err := readSysctl(f.forward())
	if f.v6 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without IPv6
	}
	if err != nil {
		return nil, err
	}
	want := []setting{{f.forward(), "1", KindForwarding}}
	if f.v6 || on != "1" {
		return want, nil
	}
	for _, link := range w.links() {
		want = append(want, setting{f.ofLink(link, "forwarding"), "1", KindForwarding})
	}
	return want, nil
}

// links are the interfaces that a wish is about, sorted, each once.
func (w Wish) links() []string {
	links := []string{w.Uplink}
	for _, l := range w.Locals {
		links = append(links, l.Bridge)
	}
	slices.Sort(links)
	return slices.DeleteFunc(slices.Compact(links), func(l string) bool { return l == "" })
}

func (h *Host) planForwarding(_ context.Context, w Wish) ([]Step, error) {
	if !w.Forward {
		return nil, nil
	}
	want, err := (family{}).forwardingOf(w)
	if err == nil && w.wants6() {
		var more []setting
		more, err = (family{v6: true}).forwardingOf(w)
		want = append(want, more...)
	}
	if err != nil {
		return nil, err
	}
	return h.planSettings(want, func(s setting) error {
		if s.name != ipForward6 {
			return nil
		}
		deaf, err := h.deafened(w)
		if err == nil && len(deaf) > 0 {
			err = fmt.Errorf("IPv6 forwarding stays off: %s would lose router advertisements, and with them its routes; set its accept_ra to 2, or to 0 if it needs none: %w",
				strings.Join(deaf, ", "), api.ErrRefused)
		}
		return err
	})
}

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

// planReversePath loosens the uplink's filter if it is strict: replies that come in over
// another interface than requests go out by are dropped by that.
func (h *Host) planReversePath(_ context.Context, w Wish) ([]Step, error) {
	filter, err := reversePath(w.Uplink)
	if err != nil || filter != 1 {
		return nil, err
	}
	return h.planSettings([]setting{{family{}.ofLink(w.Uplink, "rp_filter"), "2", KindSetting}}, nil)
}

// reversePath is the filter in effect on an interface, which is the larger of its own and
// the one for all (ip-sysctl.rst of the kernel); 0 if there is no such interface.
func reversePath(link string) (int, error) {
	if link == "" {
		return 0, nil
	}
	effective := "0"
	for _, of := range []string{"all", link} {
		value, err := readSysctl(family{}.ofLink(of, "rp_filter"))
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

// bridgeNetfilter reports whether br_netfilter is loaded and on. It is told only: traffic
// between hosts passes the same with and without it.
func bridgeNetfilter() bool {
	value, err := readSysctl("net/bridge/bridge-nf-call-iptables")
	return err == nil && value == "1"
}

// planSettings brings sysctls to their values. Before one is set, the permit is asked; nil
// permits all. One whose interface is not there is left out.
func (h *Host) planSettings(want []setting, permit func(setting) error) ([]Step, error) {
	var steps []Step
	first := map[string]string{}
	for _, s := range want {
		now, err := readSysctl(s.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return steps, err
		}
		if now == s.value {
			// Should somebody change it later, and we change it back, it is still not ours.
			if _, known := h.mem.Sysctls[s.name]; !known && !h.flippedOn(s.name) {
				first[s.name] = now
			}
			continue
		}
		h.planned[s.name] = former{Value: s.value, Was: now}
		name := dotted(s.name)
		steps = append(steps, step(s.kind, name+" set to "+s.value, "sysctl -w "+name+"="+s.value, func(ctx context.Context) error {
			clear(h.planned)
			if permit != nil {
				if err := permit(s); err != nil {
					return err
				}
			}
			return h.set(ctx, s)
		}))
	}
	if len(first) > 0 {
		note := Step{do: func(context.Context) error {
			return h.remember(func(m *memory) { m.Sysctls = join(first, m.Sysctls) })
		}}
		steps = append([]Step{note}, steps...)
	}
	return steps, nil
}

// set writes a sysctl, having remembered its value and what the kernel changes along with
// it. Should that fail, it is not taken for ours.
func (h *Host) set(ctx context.Context, s setting) error {
	was := map[string]string{}
	var err error
	for _, f := range families() {
		if s.name == f.forward() {
			if was, err = f.flips(); err != nil {
				return err
			}
		}
	}
	if was[s.name], err = readSysctl(s.name); err != nil {
		return err
	}
	early := false
	if s.name == ipForward {
		d, err := h.detect(ctx)
		early = err == nil && !d.docker
	}
	before := *h.mem
	if err := h.remember(func(m *memory) {
		m.Early = m.Early || early
		m.Sysctls = join(was, m.Sysctls)
		m.Values = join(m.Values, map[string]string{s.name: s.value})
	}); err != nil {
		return err
	}
	if err := writeSysctl(s.name, s.value); err != nil {
		return errors.Join(err, h.remember(func(m *memory) { *m = before }))
	}
	return nil
}

// made reports whether it is us who gave a sysctl another value than it had.
func (h *Host) made(name string) bool {
	value, ok := h.mem.Values[name]
	return ok && value != h.mem.Sysctls[name]
}

// flippedOn reports whether an interface forwards IPv4 because we turned it on for all.
func (h *Host) flippedOn(name string) bool {
	return name != ipForward && strings.HasPrefix(name, "net/ipv4/") && strings.HasSuffix(name, "/forwarding") && h.made(ipForward)
}

// join makes one map of two; what both have is as in the second.
func join(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
