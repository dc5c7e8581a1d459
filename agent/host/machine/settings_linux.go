package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// setting is a sysctl and the value it is to have.
type setting struct {
	name, value string
	kind        host.Kind
}

// forwardingOf are the settings that make a family forward between the uplink and the
// bridges. Turning it on turns it on for each interface; where it is on, somebody may have
// turned it off for one, which drops all packets that come in there (IPv4 only: of IPv6 the
// kernel looks at the one for all).
func forwardingOf(f host.Family, w host.Wish) ([]setting, error) {
	on, err := readSysctl(forwardSysctl(f))
	if f == host.IPv6 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without IPv6
	}
	if err != nil {
		return nil, err
	}
	want := []setting{{forwardSysctl(f), "1", host.KindForwarding}}
	if f == host.IPv6 || on != "1" {
		return want, nil
	}
	for _, link := range w.Links() {
		want = append(want, setting{linkSysctl(f, link, "forwarding"), "1", host.KindForwarding})
	}
	return want, nil
}

func (h *Host) planForwarding(_ context.Context, w host.Wish) ([]host.Step, error) {
	if !w.Forward {
		return nil, nil
	}
	want, err := forwardingOf(host.IPv4, w)
	if err == nil && w.WantsIPv6() {
		var more []setting
		more, err = forwardingOf(host.IPv6, w)
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

// planReversePath loosens the uplink's filter if it is strict: replies that come in over
// another interface than requests go out by are dropped by that.
func (h *Host) planReversePath(_ context.Context, w host.Wish) ([]host.Step, error) {
	filter, err := reversePath(w.Uplink)
	if err != nil || filter != 1 {
		return nil, err
	}
	return h.planSettings([]setting{{linkSysctl(host.IPv4, w.Uplink, "rp_filter"), "2", host.KindSetting}}, nil)
}

// reversePath is the filter in effect on an interface, which is the larger of its own and
// the one for all (ip-sysctl.rst of the kernel); 0 if there is no such interface.
func reversePath(link string) (int, error) {
	if link == "" {
		return 0, nil
	}
	effective := "0"
	for _, of := range []string{"all", link} {
		value, err := readSysctl(linkSysctl(host.IPv4, of, "rp_filter"))
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
func (h *Host) planSettings(want []setting, permit func(setting) error) ([]host.Step, error) {
	var steps []host.Step
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
		steps = append(steps, host.NewStep(s.kind, name+" set to "+s.value, "sysctl -w "+name+"="+s.value, func(ctx context.Context) error {
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
		note := host.Step{Do: func(context.Context) error {
			return h.remember(func(m *memory) { m.Sysctls = join(first, m.Sysctls) })
		}}
		steps = append([]host.Step{note}, steps...)
	}
	return steps, nil
}

// set writes a sysctl, having remembered its value and what the kernel changes along with
// it. Should that fail, it is not taken for ours.
func (h *Host) set(ctx context.Context, s setting) error {
	was := map[string]string{}
	var err error
	for _, f := range host.Families() {
		if s.name == forwardSysctl(f) {
			if was, err = forwardFlips(f); err != nil {
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
