package sysctl

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
	"github.com/sealane/sealane/agent/host/state"
)

// Settings are those of a host, with what is remembered of them. They are for one goroutine
// at a time.
type Settings struct {
	file    file
	docker  AskDocker
	record  *state.Record[memory]
	planned map[string]former // to be set before the file that makes them last
}

// Docker is what the settings are told of Docker.
type Docker struct {
	There    bool // its rules are there
	Shielded bool // it drops itself what is not published, whatever the policy of FORWARD
	Exposed  bool // strangers reach what is not published once the host forwards: by Docker's rules and that policy
}

// AskDocker looks at what it tells.
type AskDocker func(context.Context) (Docker, error)

// New returns the settings of a host whose file is to be in a directory; empty: without a
// file. It reads and changes nothing yet.
func New(store *state.Store, dir string, docker AskDocker) *Settings {
	f := file{dir}
	return &Settings{file: f, docker: docker, record: state.NewRecord(store, f.adopted), planned: map[string]former{}}
}

// Begin forgets what was planned and not done. It is called before parts plan or undo.
func (s *Settings) Begin() { clear(s.planned) }

// WillForward reports whether the kernel forwards IPv4, or will once what is planned is done.
func (s *Settings) WillForward() (bool, error) {
	if s.planned[ipForward].Value == "1" {
		return true, nil
	}
	return Forwards()
}

// setting is a sysctl and the value it is to have.
type setting struct {
	name, value string
	kind        host.Kind
}

// planValues brings sysctls to their values. Before one is set, the permit is asked; nil
// permits all. One whose interface is not there is left out.
func (s *Settings) planValues(want []setting, permit func(setting) error) ([]host.Step, error) {
	var steps []host.Step
	first := map[string]string{}
	for _, one := range want {
		now, err := readValue(one.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return steps, err
		}
		if now == one.value {
			// Should somebody change it later, and we change it back, it is still not ours.
			if _, known := s.record.Value().Sysctls[one.name]; !known && !s.flippedOn(one.name) {
				first[one.name] = now
			}
			continue
		}
		s.planned[one.name] = former{Value: one.value, Was: now}
		name := dotted(one.name)
		steps = append(steps, host.NewStep(one.kind, name+" set to "+one.value, "sysctl -w "+name+"="+one.value, func(ctx context.Context) error {
			clear(s.planned)
			if permit != nil {
				if err := permit(one); err != nil {
					return err
				}
			}
			return s.set(ctx, one)
		}))
	}
	if len(first) > 0 {
		note := s.record.RememberStep(func(m *memory) { m.Sysctls = join(first, m.Sysctls) })
		steps = append([]host.Step{note}, steps...)
	}
	return steps, nil
}

// set writes a sysctl, having remembered its value and what the kernel changes along with
// it. Should that fail, it is not taken for ours.
func (s *Settings) set(ctx context.Context, one setting) error {
	was := map[string]string{}
	var err error
	for _, f := range host.Families() {
		if one.name == forwardSysctl(f) {
			if was, err = forwardFlips(f); err != nil {
				return err
			}
		}
	}
	if was[one.name], err = readValue(one.name); err != nil {
		return err
	}
	early := false
	if one.name == ipForward {
		docker, err := s.docker(ctx)
		early = err == nil && !docker.There
	}
	before := s.record.Value()
	if err := s.record.Remember(func(m *memory) {
		m.Early = m.Early || early
		m.Sysctls = join(was, m.Sysctls)
		m.Values = join(m.Values, map[string]string{one.name: one.value})
	}); err != nil {
		return err
	}
	if err := writeValue(one.name, one.value); err != nil {
		return errors.Join(err, s.record.Remember(func(m *memory) { *m = before }))
	}
	return nil
}

// made reports whether it is us who gave a sysctl another value than it had.
func (s *Settings) made(name string) bool {
	value, ok := s.record.Value().Values[name]
	return ok && value != s.record.Value().Sysctls[name]
}

// flippedOn reports whether an interface forwards IPv4 because we turned it on for all.
func (s *Settings) flippedOn(name string) bool {
	return name != ipForward && strings.HasPrefix(name, "net/ipv4/") && strings.HasSuffix(name, "/forwarding") && s.made(ipForward)
}

// join makes one map of two; what both have is as in the second.
func join(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// borrowed reports whether Docker came when forwarding was on already, because of us. It
// would have turned it on itself, and its containers need it now.
func (s *Settings) borrowed(ctx context.Context) bool {
	if !s.record.Value().Early {
		return false
	}
	docker, err := s.docker(ctx)
	return err == nil && docker.There
}

// undoValues puts back the sysctls of this last name that still have the value we gave
// them. Those of interfaces that are gone are left out.
func (s *Settings) undoValues(last string) ([]host.Step, error) {
	var steps []host.Step
	for _, name := range slices.Sorted(maps.Keys(s.record.Value().Values)) {
		if path.Base(name) != last || name == ipForward6 || !s.made(name) {
			continue
		}
		now, err := readValue(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return steps, err
		}
		if now == s.record.Value().Values[name] {
			steps = append(steps, back(name, s.record.Value().Sysctls[name]))
		}
	}
	return steps, nil
}

// back is the step that gives a sysctl its former value.
func back(name, value string) host.Step {
	kind, text := host.KindSetting, dotted(name)
	if strings.HasSuffix(name, "forward") || strings.HasSuffix(name, "forwarding") {
		kind = host.KindForwarding
	}
	return host.NewStep(kind, fmt.Sprintf("%s back to %s", text, value), "sysctl -w "+text+"="+value, func(context.Context) error {
		err := writeValue(name, value)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the interface went away just now
		}
		return err
	})
}
