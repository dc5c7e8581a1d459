package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
)

// secondary are the interfaces of a machine in the cloud: primary ...:11 and, unless it
// fails, ...:12.
type secondary struct {
	mu      sync.Mutex // guards all below
	failure error
	asked   int
}

func (s *secondary) Interface(_ context.Context, mac string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.failure == nil && mac != "00:16:3e:00:00:12" {
		return "", fmt.Errorf("%s: %w", mac, api.ErrNotFound)
	}
	return "eni-2", s.failure
}

func (s *secondary) InterfaceVSwitch(context.Context, string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "vsw-2", s.failure
}

func (s *secondary) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

func (s *secondary) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (b *bench) wantPlace(uplink api.InterfaceID, vswitch api.VSwitchID) {
	b.t.Helper()
	if own := b.own(); own.Uplink != uplink || own.VSwitch != vswitch {
		b.t.Errorf("reported uplink %q on %q, want %q on %q", own.Uplink, own.VSwitch, uplink, vswitch)
	}
}

func TestUplinkIsReported(t *testing.T) {
	onBench(t, func(b *bench) {
		cloud := &secondary{}
		b.config.Identity.MAC, b.config.Interfaces = "00:16:3E:00:00:11", cloud
		b.host.SetBridge("docker0", "10.0.0.1/24")
		b.host.SetMAC("eth0", "00:16:3e:00:00:11")
		b.start()
		b.wantPlace("", "vsw-1") // the primary one

		b.host.SetMAC("eth0", "00:16:3e:00:00:12")
		b.settle()
		b.wantPlace("eni-2", "vsw-2")
		asked := cloud.times()
		<-time.After(10 * poll)
		synctest.Wait()
		if again := cloud.times(); again != asked {
			t.Errorf("asked %d times more", again-asked)
		}

		// Without the address there is nothing to ask for, and the routes stay.
		ip := netip.MustParseAddr("192.168.0.1")
		b.host.LoseAddress(ip)
		b.settle()
		b.wantPlace("eni-2", "vsw-2")
		b.host.GainAddress(ip)
		b.settle()
		b.wantPlace("eni-2", "vsw-2")
	})
}

func TestUplinkCannotBeRead(t *testing.T) {
	onBench(t, func(b *bench) {
		cloud := &secondary{failure: errors.New("status 500")}
		b.config.Identity.MAC, b.config.Interfaces = "00:16:3e:00:00:11", cloud
		b.host.SetMAC("eth0", "00:16:3e:00:00:12")
		b.host.SetBridge("docker0", "10.0.0.1/24")
		ctx, stop := context.WithCancel(b.t.Context())
		b.run(ctx)
		b.wantPlace("", "vsw-1")
		b.wantText(api.FindingUplink, "00:16:3e:00:00:12", "status 500")
		if n := cloud.times(); n > 2 {
			t.Errorf("asked %d times at once", n)
		}
		cloud.fail(nil)
		<-time.After(2 * poll)
		synctest.Wait()
		b.wantPlace("eni-2", "vsw-2")
		b.wantCodes()

		// The next agent cannot read it: the routes stay where they are.
		stop()
		b.settle()
		cloud.fail(errors.New("status 500"))
		b.start()
		b.wantPlace("eni-2", "vsw-2")
		b.wantCodes(api.FindingUplink)
	})
}
