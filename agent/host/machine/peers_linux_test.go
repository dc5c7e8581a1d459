package machine_test

import (
	"testing"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// TestPeersAreForgotten has cleanup take the file along.
func TestPeersAreForgotten(t *testing.T) {
	needRoot(t)
	m := namespace(t)
	memory, ok := m.Subject.(*machine.Host)
	if !ok {
		t.Fatalf("a host of type %T", m.Subject)
	}
	if err := memory.RememberPeers(host.Peers{Cluster: "prod"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := memory.RecallPeers(); err != nil || p.Cluster != "" {
		t.Errorf("recalled %+v, %v after cleanup", p, err)
	}
}
