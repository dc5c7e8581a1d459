package agent_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/hosttest"
	"github.com/sealane/sealane/api"
)

// known runs an agent until it knows host i-b and keeps sources toward it, and stops it.
func (b *bench) known() {
	b.t.Helper()
	b.config.Memory, b.config.Cluster = b.host, "prod"
	b.docker("10.0.0.1/24")
	b.other("i-b", "192.168.0.2", "10.1.0.0/24")
	b.registry.Alive("i-b")
	ctx, stop := context.WithCancel(b.t.Context())
	b.run(ctx)
	b.publish(api.StageWritten, true, map[string]api.InstanceID{"10.0.0.0/24": "i-a", "10.1.0.0/24": "i-b"})
	<-time.After(2 * poll)
	b.wantHost(inPlace()...)
	stop()
	synctest.Wait()
}

func (b *bench) docker(bip string) {
	b.host.Disturb(hosttest.StartDocker)
	b.host.SetBridge("docker0", bip)
}

// inPlace is what a host has that knows host i-b.
func inPlace() []string {
	return []string{
		"set sealane-local [10.0.0.0/24]", "set sealane-peers [10.1.0.0/24 192.168.0.2/32]", "keep from [10.0.0.0/24] to [10.1.0.0/24]",
	}
}

// A machine that boots while the registry is away has its peers all the same, and what the
// registry says in the end counts.
func TestBootWithoutRegistry(t *testing.T) {
	onBench(t, func(b *bench) {
		b.known()
		b.host.Reboot()
		b.registry.Fail(api.ErrUnreachable)
		b.start()
		b.wantHost("set sealane-local []", "set sealane-peers [10.1.0.0/24 192.168.0.2/32]", "no keep from")
		b.docker("10.0.0.1/24")
		b.settle()
		b.wantHost(append(inPlace(), "ip_forward true")...)

		b.registry.Fail(nil)
		b.other("i-b", "192.168.0.2", "10.2.0.0/24")
		<-time.After(poll)
		b.wantHost("set sealane-peers [10.2.0.0/24 192.168.0.2/32]", "no keep from")
	})
}

// What is remembered does not outrank what is there: a bridge with another subnet, a network
// that is in the way, and a disk that was copied to another machine.
func TestMemoryIsHeldAgainstTheHost(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(b *bench)
		want   []string
	}{
		"another bip": {func(b *bench) { b.docker("10.5.0.1/24") }, []string{"set sealane-local []", "set sealane-peers [10.1.0.0/24 192.168.0.2/32]", "no keep from"}},
		"a network of ours": {func(b *bench) {
			b.docker("10.0.0.1/24")
			b.host.SetBridge("br-1", "10.1.0.1/16")
		}, []string{"set sealane-local [10.0.0.0/24]", "set sealane-peers [192.168.0.2/32]", "no keep from"}},
		"a copied disk": {func(b *bench) {
			b.docker("10.0.0.1/24")
			b.config.Identity.Instance, b.config.Identity.IP = "i-c", netip.MustParseAddr("192.168.0.3")
			b.host.GainAddress(b.config.Identity.IP)
		}, []string{"set sealane-local []", "set sealane-peers []", "no keep from"}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.known()
				b.host.Reboot()
				b.registry.Fail(api.ErrUnreachable)
				tt.change(b)
				b.start()
				b.wantHost(tt.want...)
			})
		})
	}
}

// A bridge that is away when the registry is read is not forgotten, nor is its source.
func TestMemoryKeepsWhatIsAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.known()
		ctx, stop := context.WithCancel(b.t.Context())
		b.run(ctx)
		b.host.SetBridge("docker0")
		b.other("i-d", "192.168.0.4", "10.4.0.0/24") // news, so that it is written again
		<-time.After(3 * poll)
		stop()
		synctest.Wait()

		b.host.Reboot()
		b.registry.Fail(api.ErrUnreachable)
		b.docker("10.0.0.1/24")
		b.start()
		b.wantHost("set sealane-local [10.0.0.0/24]", "set sealane-peers [10.1.0.0/24 10.4.0.0/24 192.168.0.2/32 192.168.0.4/32]", "keep from [10.0.0.0/24] to [10.1.0.0/24]")
	})
}

// An agent that is started for another cluster does nothing, and says what to do.
func TestAnotherCluster(t *testing.T) {
	onBench(t, func(b *bench) {
		b.known()
		b.config.Cluster = "test"
		before := b.host.String()
		err := agent.New(b.config, b.host, b.registry, nil, nil).Run(b.t.Context())
		if !errors.Is(err, api.ErrRefused) {
			t.Fatalf("got %v, want %v", err, api.ErrRefused)
		}
		for _, text := range []string{"cluster prod", "cluster test", "--cluster prod", "sealane-agent cleanup"} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q is not in: %v", text, err)
			}
		}
		if after := b.host.String(); after != before {
			t.Errorf("changed the host from\n%s\nto\n%s", before, after)
		}
		if _, err := b.host.Restore(b.t.Context()); err != nil {
			t.Fatal(err)
		}
		b.start()
		b.wantHost(inPlace()...)
	})
}

// A registry that lost its records while no agent looked is not believed at once.
func TestEmptiedWhileAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.known()
		b.registry.Empty()
		b.start()
		b.wantHost(inPlace()...)
		<-time.After(11 * time.Minute)
		b.wantHost("set sealane-peers []")
		synctest.Wait()
		if !strings.Contains(b.log.String(), "hosts are gone from the registry") {
			t.Errorf("not in the log:\n%s", b.log)
		}
	})
}

// A disk that cannot be written is told once, and is nothing to stop for.
func TestMemoryFails(t *testing.T) {
	onBench(t, func(b *bench) {
		b.config.Memory = full{}
		b.docker("10.0.0.1/24")
		b.start()
		<-time.After(5 * poll)
		b.wantHost("set sealane-local [10.0.0.0/24]")
		synctest.Wait()
		if n := strings.Count(b.log.String(), "no space left"); n != 1 {
			t.Errorf("told %d times:\n%s", n, b.log)
		}
	})
}

// full is a disk without room.
type full struct{}

func (full) RecallPeers() (host.Peers, error) { return host.Peers{}, nil }
func (full) RememberPeers(host.Peers) error   { return errors.New("no space left") }
