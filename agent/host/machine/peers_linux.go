package machine

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
func (h *Host) RecallPeers() (host.Peers, error) {
	data, err := os.ReadFile(h.peersPath())
	if errors.Is(err, fs.ErrNotExist) {
		return host.Peers{}, nil
	}
	if err != nil {
		return host.Peers{}, fmt.Errorf("recall peers: %w", err)
	}
	var p host.Peers
	if err := json.Unmarshal(data, &p); err != nil {
		return host.Peers{}, fmt.Errorf("recall peers from %s: %w", h.peersPath(), err)
	}
	return p, nil
}

// RememberPeers makes it durable: after a crash the file is the old or the new one. Restore
// forgets it.
func (h *Host) RememberPeers(p host.Peers) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(h.opts.StateDir, 0o700)
	}
	if err == nil {
		err = writeDurably(h.peersPath(), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember peers: %w", err)
	}
	return nil
}

func (h *Host) peersPath() string { return filepath.Join(h.opts.StateDir, "peers.json") }
