package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// undoForwarding turns forwarding off where it was us who turned it on, and then puts back
// what the kernel changed along with it; where forwarding was on before, it puts back
// interfaces only.
func (h *Host) undoForwarding(ctx context.Context) ([]host.Step, error) {
	var steps []host.Step
	var failures []error
	for _, f := range host.Families() {
		if h.made(forwardSysctl(f)) && !h.borrowed(ctx) {
			more, err := h.undoSwitch(f)
			steps, failures = append(steps, more...), append(failures, err)
		}
	}
	if !h.made(ipForward) {
		more, err := h.undoSettings("forwarding")(ctx)
		steps, failures = append(steps, more...), append(failures, err)
	}
	return steps, errors.Join(failures...)
}

// borrowed reports whether Docker came when forwarding was on already, because of us. It
// would have turned it on itself, and its containers need it now.
func (h *Host) borrowed(ctx context.Context) bool {
	if !h.mem.Early {
		return false
	}
	d, err := h.detect(ctx)
	return err == nil && d.docker
}

// undoSwitch turns a family's forwarding off, and gives the flips their former values. One
// that has neither the value the kernel gave it nor ours was changed by somebody else since,
// and keeps what it has, although the kernel overwrites it.
func (h *Host) undoSwitch(f host.Family) ([]host.Step, error) {
	now, err := readSysctl(forwardSysctl(f))
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	after := now
	if was := h.mem.Sysctls[forwardSysctl(f)]; now == h.mem.Values[forwardSysctl(f)] && now != was {
		steps, after = append(steps, back(forwardSysctl(f), was)), was
	}
	flips, err := forwardFlips(f)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(flips)) {
		want := flips[name]
		was, known := h.mem.Sysctls[name]
		if known && (want == flipped(name, now) || want == h.mem.Values[name]) {
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

// undoSettings puts back the sysctls of this last name that still have the value we gave
// them. Those of interfaces that are gone are left out.
func (h *Host) undoSettings(last string) func(context.Context) ([]host.Step, error) {
	return func(context.Context) ([]host.Step, error) {
		var steps []host.Step
		for _, name := range slices.Sorted(maps.Keys(h.mem.Values)) {
			if path.Base(name) != last || name == ipForward6 || !h.made(name) {
				continue
			}
			now, err := readSysctl(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return steps, err
			}
			if now == h.mem.Values[name] {
				steps = append(steps, back(name, h.mem.Sysctls[name]))
			}
		}
		return steps, nil
	}
}

// undoRouterAdv comes after forwarding is off, and not at all if it stays on.
func (h *Host) undoRouterAdv(ctx context.Context) ([]host.Step, error) {
	if h.borrowed(ctx) {
		return nil, nil
	}
	return h.undoSettings("accept_ra")(ctx)
}

// back is the step that gives a sysctl its former value.
func back(name, value string) host.Step {
	kind, text := host.KindSetting, dotted(name)
	if strings.HasSuffix(name, "forward") || strings.HasSuffix(name, "forwarding") {
		kind = host.KindForwarding
	}
	return host.NewStep(kind, fmt.Sprintf("%s back to %s", text, value), "sysctl -w "+text+"="+value, func(context.Context) error {
		err := writeSysctl(name, value)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the interface went away just now
		}
		return err
	})
}
