package hosttest

import "github.com/sealane/sealane/agent/host"

// RecallPeers returns what was remembered.
func (f *Fake) RecallPeers() (host.Peers, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers, f.failures
}

// RememberPeers remembers it until Restore, also over a Reboot.
func (f *Fake) RememberPeers(p host.Peers) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures == nil {
		f.peers = p
	}
	return f.failures
}

// Reboot takes away all that a kernel forgets, and bridges with it.
func (f *Fake) Reboot() {
	f.change(func() {
		f.bridges, f.source, f.kept, f.memory = nil, "", nil, nil
		f.forwardAll(false)
		clear(f.sets)
		clear(f.chains)
	})
}
