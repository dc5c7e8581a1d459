package sysctl

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// memory is what is remembered of settings.
type memory struct {
	Sysctls map[string]string `json:"sysctls,omitempty"` // former values; one that is as in Values was never ours
	Values  map[string]string `json:"values,omitempty"`  // what we set sysctls to; the others of Sysctls change along
	Early   bool              `json:"early,omitempty"`   // forwarding was turned on before Docker was there
}

// former is a sysctl that we set: to what, and what it was.
type former struct{ Value, Was string }

// file is the one in a directory sysctl.d that makes settings outlive a reboot.
type file struct {
	dir string // empty: there is to be no such file
}

func (f file) fullPath() string { return filepath.Join(f.dir, dropInName) }

// content is nil without a file.
func (f file) content() (data []byte, ours bool, err error) {
	data, err = os.ReadFile(f.fullPath())
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

// adopted is what the file makes remembered at a new boot, at which it was read.
func (f file) adopted(memory) (memory, error) {
	var m memory
	if f.dir == "" {
		return m, nil
	}
	data, ours, err := f.content()
	if err != nil || !ours {
		return m, err
	}
	m.Sysctls, m.Values = map[string]string{}, map[string]string{}
	for name, was := range parseDropIn(data) {
		m.Sysctls[name], m.Values[name] = was.Was, was.Value
		m.Early = m.Early || name == ipForward
	}
	return m, nil
}
