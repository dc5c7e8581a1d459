package machine_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
)

// TestNativeLossless pings on while the way past Docker's own table is changed in each way
// there is, and wants every ping answered.
func TestNativeLossless(t *testing.T) {
	needReplay(t)
	w := newWorld(t, accepting(readCapture(t, "29.7.2-nftables-published")))
	wish := w.wish(host.WayRedirect)
	w.mustApply(t, wish)
	stop := w.pingOn(t, containerA, "10.1.0.2")
	for n := range 10 {
		more := wish
		more.Remotes = append(more.Remotes, netip.MustParsePrefix("10.8.0.0/16"))
		more.Keep, more.KeepFrom = more.Remotes, []netip.Prefix{wish.Locals[0].Prefix}
		w.mustApply(t, more)
		w.mustApply(t, wish)
		wish.Way = host.WayMark
		more.Way = host.WayMark
		w.mustApply(t, wish)
		w.mustApply(t, more)
		if n%2 == 0 {
			w.host = machine.New(machine.Options{StateDir: w.state})
		}
		wish.Way = host.WayRedirect
		w.mustApply(t, wish)
	}
	sent, lost := stop()
	if lost > 0 || sent < 50 {
		t.Errorf("lost %d of %d pings", lost, sent)
	}
	t.Logf("%d pings through 50 changes", sent)
}

// pingOn pings from the other host every few milliseconds until stopped. Each ping is a new
// connection, since what belongs to an old one passes anyway.
func (w *world) pingOn(t *testing.T, from, to string) (stop func() (sent, lost int)) {
	t.Helper()
	var c net.PacketConn
	w.peer.in(t, func() {
		var err error
		if c, err = net.ListenPacket("ip4:icmp", from); err != nil {
			t.Error(err)
		}
	})
	if c == nil {
		t.FailNow()
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); _ = c.Close() })
	var both sync.WaitGroup
	sent, answers := 0, map[uint16]bool{} // by id
	both.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			sent++
			if _, err := c.WriteTo(echoRequest(uint16(sent), 1), &net.IPAddr{IP: net.ParseIP(to)}); err != nil {
				t.Error(err)
			}
			<-tick.C
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second)) // for the last answers
	})
	both.Go(func() {
		answer := make([]byte, 1500)
		for {
			n, _, err := c.ReadFrom(answer)
			if err != nil {
				return
			}
			if n >= 8 && answer[0] == 0 {
				answers[binary.BigEndian.Uint16(answer[4:])] = true
			}
		}
	})
	return func() (int, int) {
		cancel()
		both.Wait()
		return sent, sent - len(answers)
	}
}

// echoRequest is a ping.
func echoRequest(id, number uint16) []byte {
	echo := []byte{8, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(echo[4:], id)
	binary.BigEndian.PutUint16(echo[6:], number)
	sum := 8<<8 + uint32(id) + uint32(number)
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(echo[2:], ^uint16(sum+sum>>16))
	return echo
}
