package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// memory is what the host was like before we changed it: file host.json of the state
// directory, always written before the change it is about.
type memory struct {
	Where   string            `json:"where"`             // boot and network namespace it holds for
	Variant host.Variant      `json:"variant,omitempty"` // the variant our rules were written with
	Chains  *[]string         `json:"chains,omitempty"`  // tables and chains that were there before ours, of IPv4
	Chains6 *[]string         `json:"chains6,omitempty"` // the same of IPv6
	Sysctls map[string]string `json:"sysctls,omitempty"` // former values; one that is as in Values was never ours
	Values  map[string]string `json:"values,omitempty"`  // what we set sysctls to; the others of Sysctls change along
	Early   bool              `json:"early,omitempty"`   // forwarding was turned on before Docker was there

	Redirect *redirected `json:"redirect,omitempty"` // what the redirect changed; nil while there is none
	Engine   *enrolment  `json:"engine,omitempty"`   // what was changed of the engine's options; it outlives a boot
}

// former points to what is remembered of a family's chains; nil there while its rules were
// not touched.
func (m *memory) former(f host.Family) **[]string {
	if f == host.IPv6 {
		return &m.Chains6
	}
	return &m.Chains
}

func (m *memory) has(f host.Family) bool { return *m.former(f) != nil }

func (m *memory) chains(f host.Family) []string {
	if !m.has(f) {
		return nil
	}
	return **m.former(f)
}

func (m *memory) put(f host.Family, chains []string) { *m.former(f) = &chains }

func (h *Host) memoryPath() string { return filepath.Join(h.opts.StateDir, "host.json") }

// recall reads the memory, unless that was done. What was remembered for another boot or
// another network namespace is void: the kernel forgot our changes with it, but for those
// that our file made again.
func (h *Host) recall() error {
	clear(h.planned)
	h.freed = false
	if h.mem != nil {
		return nil
	}
	where, err := place()
	if err != nil {
		return err
	}
	var m memory
	data, err := os.ReadFile(h.memoryPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("recall former values: %w", err)
	default:
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("recall former values from %s (remove it to do without them): %w", h.memoryPath(), err)
		}
	}
	if m.Where != where {
		m = memory{Where: where, Engine: m.Engine}
		if err := h.adopt(&m); err != nil {
			return err
		}
	}
	h.mem = &m
	return nil
}

// remember changes the memory and makes it durable, so that a crash right after cannot
// lose a former value.
func (h *Host) remember(change func(*memory)) error {
	m := *h.mem
	change(&m)
	data, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("remember former values: %w", err)
	}
	if err := os.MkdirAll(h.opts.StateDir, 0o700); err != nil {
		return fmt.Errorf("remember former values: %w", err)
	}
	if err := writeDurably(h.memoryPath(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("remember former values: %w", err)
	}
	h.mem = &m
	return nil
}

func (h *Host) forget() error {
	h.mem = nil
	for _, path := range []string{h.peersPath(), h.memoryPath()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget former values: %w", err)
		}
	}
	return nil
}

// writeDurably replaces a file so that after a crash it is the old or the new one, whole.
func writeDurably(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// place names this boot of this network namespace.
func place() (string, error) {
	boot, err := BootID()
	if err != nil {
		return "", err
	}
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "", fmt.Errorf("read the network namespace: %w", err)
	}
	return boot + " " + ns, nil
}

// BootID names this boot of the machine.
func BootID() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(boot)), nil
}
