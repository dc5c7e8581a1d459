package sysctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Forwarding is the part that has the kernel forward.
type Forwarding struct{ *Settings }

// Plan turns forwarding on, if that is wished for. The wish was made of facts that may have
// changed since: what somebody turned off meanwhile is not turned on where that would open
// containers to strangers. The next pass has it in its facts and tells.
func (s Forwarding) Plan(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if !w.Forward {
		return nil, nil
	}
	if on, err := Forwards(); err == nil && !on {
		if docker, err := s.docker(ctx); err == nil && docker.Exposed {
			return nil, nil
		}
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
	return s.planValues(want, func(one setting) error {
		if one.name != ipForward6 {
			return nil
		}
		deaf, err := s.deafened(w)
		if err == nil && len(deaf) > 0 {
			err = fmt.Errorf("IPv6 forwarding stays off: %s would lose router advertisements, and with them its routes; set its accept_ra to 2, or to 0 if it needs none: %w",
				strings.Join(deaf, ", "), api.ErrRefused)
		}
		return err
	})
}

// forwardingOf are the settings that make a family forward between the uplink and the
// bridges. Turning it on turns it on for each interface; where it is on, somebody may have
// turned it off for one, which drops all packets that come in there (IPv4 only: of IPv6 the
// kernel looks at the one for all).
func forwardingOf(f host.Family, w host.Wish) ([]setting, error) {
	on, err := readValue(forwardSysctl(f))
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

// Undo turns forwarding off where it was us who turned it on, and then puts back
// what the kernel changed along with it; where forwarding was on before, it puts back
// interfaces only.
func (s Forwarding) Undo(ctx context.Context) ([]host.Step, error) {
	steps, err := host.CollectSteps(host.Families(), func(f host.Family) ([]host.Step, error) {
		if !s.made(forwardSysctl(f)) || s.borrowed(ctx) {
			return nil, nil
		}
		return s.undoSwitch(f)
	})
	if s.made(ipForward) {
		return steps, err
	}
	more, failure := s.undoValues("forwarding")
	return append(steps, more...), errors.Join(err, failure)
}

// undoSwitch turns a family's forwarding off, and gives the flips their former values. One
// that has neither the value the kernel gave it nor ours was changed by somebody else since,
// and keeps what it has, although the kernel overwrites it.
func (s Forwarding) undoSwitch(f host.Family) ([]host.Step, error) {
	now, err := readValue(forwardSysctl(f))
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	after := now
	if was := s.record.Value().Sysctls[forwardSysctl(f)]; now == s.record.Value().Values[forwardSysctl(f)] && now != was {
		steps, after = append(steps, back(forwardSysctl(f), was)), was
	}
	flips, err := forwardFlips(f)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(flips)) {
		want := flips[name]
		was, known := s.record.Value().Sysctls[name]
		if known && (want == flipped(name, now) || want == s.record.Value().Values[name]) {
			want = was
		}
		then := flips[name] // what it will be once forwarding is off
		if after != now {
			then = flipped(name, after)
		}
		if known && want != then {
			steps = append(steps, back(name, want))
		}
	}
	return steps, nil
}
