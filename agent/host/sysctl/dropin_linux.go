package sysctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
)

// DropIn is the part that makes the settings outlive a reboot, by a file in sysctl.d.
type DropIn struct{ *Settings }

// Plan writes what of our settings is to hold from the next boot on. It comes after
// the parts that make them.
func (s DropIn) Plan(ctx context.Context, _ host.Wish) ([]host.Step, error) {
	if s.file.dir == "" {
		return nil, nil
	}
	have, ours, err := s.file.content()
	if err != nil {
		return nil, err
	}
	lasting, err := s.lasting(ctx, parseDropIn(have))
	if err != nil {
		return nil, err
	}
	path := s.file.fullPath()
	switch want := formatDropIn(lasting); {
	case len(lasting) == 0 && ours:
		return []host.Step{s.removeDropIn()}, nil
	case len(lasting) == 0 || ours && bytes.Equal(have, want):
		return nil, nil
	case have != nil && !ours:
		return nil, fmt.Errorf("%s was not written by sealane-agent and is left as it is; move its settings to a file of another name: %w", path, api.ErrRefused)
	default:
		return []host.Step{host.NewStep(host.KindFile, path+" written", fmt.Sprintf("cat >%s <<'END'\n%sEND", path, want), func(context.Context) error {
			if err := state.WriteFile(path, want, 0o644); err != nil {
				return fmt.Errorf("make the settings outlive a reboot: %w", err)
			}
			return nil
		})}, nil
	}
}

// Undo removes the file, whatever is remembered. One that is not ours stays.
func (s DropIn) Undo(context.Context) ([]host.Step, error) {
	if s.file.dir == "" {
		return nil, nil
	}
	_, ours, err := s.file.content()
	if err != nil || !ours {
		return nil, err
	}
	return []host.Step{s.removeDropIn()}, nil
}

func (s DropIn) removeDropIn() host.Step {
	path := s.file.fullPath()
	return host.NewStep(host.KindFile, path+" removed", "rm "+path, func(context.Context) error {
		// After a reboot the file alone knows the former values.
		if err := s.record.Remember(func(*memory) {}); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what makes the settings outlive a reboot: %w", err)
		}
		return nil
	})
}

// lasting are the settings for the file: those that we made, or would when all this is only
// planned, on interfaces that are there.
func (s DropIn) lasting(ctx context.Context, have map[string]former) (map[string]former, error) {
	all := maps.Clone(s.planned)
	for name, value := range s.record.Value().Values {
		all[name] = former{Value: value}
	}
	for name, f := range all {
		if was, known := s.record.Value().Sysctls[name]; known {
			f.Was = was
		}
		_, err := readValue(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all[name] = f
		if err != nil || f.Value == f.Was {
			delete(all, name)
		}
	}
	for _, name := range []string{ipForward, ipForward6} {
		if _, ok := all[name]; !ok {
			continue
		}
		// What Docker does is not known before it runs, or if its rules cannot be looked at; what
		// it did when the file was written, is.
		docker, err := s.docker(ctx)
		known := err == nil && docker.There
		if _, before := have[name]; known && !docker.Shielded || !known && !before {
			delete(all, name)
		}
	}
	return all, nil
}
