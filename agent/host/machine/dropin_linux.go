package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

const (
	dropInName = "60-sealane.conf"

	// dropInMark begins a file of ours. The file outlives the boot and so what is remembered
	// for it: by this line it is known, and by "was" what to put back.
	dropInMark = "# Written by sealane-agent, removed by its cleanup. Changes made here are lost.\n"

	// The trap is measured: started with ip_forward=1, Docker up to 27 leaves the policy of
	// FORWARD at ACCEPT, and only the policy keeps outsiders from unpublished ports there.
	dropInTrap = "# Without ip_forward where Docker's start is to turn it on: up to 27 it closes unpublished ports only then.\n"
)

// former is a sysctl that we set: to what, and what it was.
type former struct{ Value, Was string }

func (h *Host) dropInPath() string { return filepath.Join(h.opts.SysctlDir, dropInName) }

// planDropIn writes what of our settings is to hold from the next boot on. It comes after
// the parts that make them.
func (h *Host) planDropIn(ctx context.Context, _ host.Wish) ([]host.Step, error) {
	if h.opts.SysctlDir == "" {
		return nil, nil
	}
	have, ours, err := h.readDropIn()
	if err != nil {
		return nil, err
	}
	lasting, err := h.lasting(ctx, parseDropIn(have))
	if err != nil {
		return nil, err
	}
	path := h.dropInPath()
	switch want := formatDropIn(lasting); {
	case len(lasting) == 0 && ours:
		return []host.Step{h.removeDropIn()}, nil
	case len(lasting) == 0 || ours && bytes.Equal(have, want):
		return nil, nil
	case have != nil && !ours:
		return nil, fmt.Errorf("%s was not written by sealane-agent and is left as it is; move its settings to a file of another name: %w", path, api.ErrRefused)
	default:
		return []host.Step{host.NewStep(host.KindFile, path+" written", fmt.Sprintf("cat >%s <<'END'\n%sEND", path, want), func(context.Context) error {
			if err := writeDurably(path, want, 0o644); err != nil {
				return fmt.Errorf("make the settings outlive a reboot: %w", err)
			}
			return nil
		})}, nil
	}
}

// undoDropIn removes the file, whatever is remembered. One that is not ours stays.
func (h *Host) undoDropIn(context.Context) ([]host.Step, error) {
	if h.opts.SysctlDir == "" {
		return nil, nil
	}
	_, ours, err := h.readDropIn()
	if err != nil || !ours {
		return nil, err
	}
	return []host.Step{h.removeDropIn()}, nil
}

func (h *Host) removeDropIn() host.Step {
	path := h.dropInPath()
	return host.NewStep(host.KindFile, path+" removed", "rm "+path, func(context.Context) error {
		// After a reboot the file alone knows the former values.
		if err := h.remember(func(*memory) {}); err != nil {
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
func (h *Host) lasting(ctx context.Context, have map[string]former) (map[string]former, error) {
	all := maps.Clone(h.planned)
	for name, value := range h.mem.Values {
		all[name] = former{Value: value}
	}
	for name, f := range all {
		if was, known := h.mem.Sysctls[name]; known {
			f.Was = was
		}
		_, err := readSysctl(name)
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
		d, err := h.detect(ctx)
		known := err == nil && d.docker
		if _, before := have[name]; known && !d.shielded || !known && !before {
			delete(all, name)
		}
	}
	return all, nil
}

// readDropIn is nil without a file.
func (h *Host) readDropIn() (data []byte, ours bool, err error) {
	data, err = os.ReadFile(h.dropInPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the settings that outlive a reboot: %w", err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, bytes.HasPrefix(data, []byte(dropInMark)), nil
}

func formatDropIn(settings map[string]former) []byte {
	text := []byte(dropInMark + dropInTrap)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		text = fmt.Appendf(text, "# was %s\n%s = %s\n", settings[name].Was, dotted(name), settings[name].Value)
	}
	return text
}

// parseDropIn is the reverse of formatDropIn.
func parseDropIn(data []byte) map[string]former {
	settings := map[string]former{}
	was := ""
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[0] == "#" && words[1] == "was":
			was = words[2]
		case len(words) == 3 && words[1] == "=" && was != "":
			settings[dotted(words[0])] = former{Value: words[2], Was: was}
			was = ""
		}
	}
	return settings
}

// adopt takes what the file says for remembered: it was read at boot.
func (h *Host) adopt(m *memory) error {
	if h.opts.SysctlDir == "" {
		return nil
	}
	data, ours, err := h.readDropIn()
	if err != nil || !ours {
		return err
	}
	m.Sysctls, m.Values = map[string]string{}, map[string]string{}
	for name, f := range parseDropIn(data) {
		m.Sysctls[name], m.Values[name] = f.Was, f.Value
		m.Early = m.Early || name == ipForward
	}
	return nil
}
