// Package state keeps what a host was like before it was changed, and what is to outlive the
// agent, as files of the state directory. It knows no part of a host: each keeps a record of
// its own type.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// Store is a state directory. The records are file host.json in it, one object with the
// fields of all of them, always written before the change it is about. A Store is for one
// goroutine at a time.
type Store struct {
	dir     string
	where   string // the boot and network namespace the records hold for; empty before Recall
	records []record
}

// record is a Record of any type.
type record interface {
	decode(file []byte) error
	begin() error
	fields() (map[string]json.RawMessage, error)
}

// New returns the store of a directory, which is made when something is first remembered.
func New(dir string) *Store { return &Store{dir: dir} }

func (s *Store) recordsPath() string { return filepath.Join(s.dir, "host.json") }

// Recall reads the records, unless that was done. What was remembered for another boot or
// another network namespace is void, since the kernel forgot our changes with it: each
// record then begins anew.
func (s *Store) Recall() error {
	if s.where != "" {
		return nil
	}
	where, err := place()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(s.recordsPath())
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte("{}"), nil
	}
	if err != nil {
		return fmt.Errorf("recall former values: %w", err)
	}
	var of struct{ Where string }
	failures := []error{json.Unmarshal(data, &of)}
	for _, r := range s.records {
		failures = append(failures, r.decode(data))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("recall former values from %s (remove it to do without them): %w", s.recordsPath(), err)
	}
	for _, r := range s.records {
		if of.Where == where {
			break
		}
		if err := r.begin(); err != nil {
			return err
		}
	}
	s.where = where
	return nil
}

// write makes the records durable, so that a crash right after cannot lose a former value.
func (s *Store) write() error {
	all := map[string]json.RawMessage{}
	where, err := json.Marshal(s.where)
	all["where"] = where
	for _, r := range s.records {
		fields, failure := r.fields()
		maps.Copy(all, fields)
		err = errors.Join(err, failure)
	}
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return WriteFile(s.recordsPath(), append(data, '\n'), 0o600)
}

// Forget removes the files. The next Recall finds nothing.
func (s *Store) Forget() error {
	s.where = ""
	for _, path := range []string{s.peersPath(), s.recordsPath()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget former values: %w", err)
		}
	}
	return nil
}

// WriteFile replaces a file so that after a crash it is the old or the new one, whole.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
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

// Whole reports whether this process is in the machine's own network namespace, not in one
// that it was put into: files in /etc then hold for the host.
func Whole() bool {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	first, denied := os.Readlink("/proc/1/ns/net")
	return err == nil && denied == nil && own == first
}
