package hosttest_test

import (
	"net/netip"
	"testing"

	"github.com/sealane/sealane/agent/host/hosttest"
)

func TestFake(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) hosttest.Machine {
		t.Helper()
		fake := hosttest.NewFake(netip.MustParseAddr("192.168.0.2"))
		fake.SetBridge("docker0", "10.0.0.1/24")
		return hosttest.Machine{
			Subject: fake,
			Restart: func() hosttest.Subject { return fake },
			Dump:    fake.String,
			Disturb: fake.Disturb,
		}
	})
}
