package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealane/sealane/agent/host"
)

// RecallPeers reads what RememberPeers wrote last; the zero value if there is nothing.
func (s *Store) RecallPeers() (host.Peers, error) {
	data, err := os.ReadFile(s.peersPath())
	if errors.Is(err, fs.ErrNotExist) {
		return host.Peers{}, nil
	}
	if err != nil {
		return host.Peers{}, fmt.Errorf("recall peers: %w", err)
	}
	var p host.Peers
	if err := json.Unmarshal(data, &p); err != nil {
		return host.Peers{}, fmt.Errorf("recall peers from %s: %w", s.peersPath(), err)
	}
	return p, nil
}

// RememberPeers makes it durable: after a crash the file is the old or the new one. Forget
// removes it.
func (s *Store) RememberPeers(p host.Peers) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err == nil {
		err = WriteFile(s.peersPath(), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember peers: %w", err)
	}
	return nil
}

func (s *Store) peersPath() string { return filepath.Join(s.dir, "peers.json") }
