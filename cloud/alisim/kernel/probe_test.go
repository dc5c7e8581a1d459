package kernel_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
)

// probe is a packet to send, the first of a connection of its own.
type probe struct {
	number      uint32
	from        *end
	source      netip.Addr
	destination netip.Addr
	protocol    string // TCP, UDP or ICMP, which is ICMPV6 with addresses of IPv6
	port        uint16
}

func (p probe) String() string {
	return fmt.Sprintf("%s %s -> %s %s/%d", p.from.eni, p.source, p.destination, p.protocol, p.port)
}

// packet is the probe as security groups see it.
func (p probe) packet() alisim.Packet {
	protocol := p.protocol
	if protocol == "ICMP" && p.source.Is6() {
		protocol = "ICMPV6"
	}
	return alisim.Packet{Source: p.source, Destination: p.destination, Protocol: protocol, Port: p.port}
}

// end is an interface with the namespace behind it.
type end struct {
	eni       string
	link      string
	own       []netip.Addr
	container []netip.Addr
	ns        namespace
}

func (e *end) all() []netip.Addr { return slices.Concat(e.own, e.container) }

// arrivals notes which probes came through.
type arrivals struct {
	mu   sync.Mutex
	seen map[uint32]bool
}

func (a *arrivals) add(number uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[number] = true
}

func (a *arrivals) has(number uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[number]
}

// listen notes what arrives at an end, at these ports, until the test ends.
func (a *arrivals) listen(t *testing.T, e *end, ports ...uint16) {
	t.Helper()
	for _, ip := range []string{"4", "6"} {
		for _, port := range ports {
			var udp *net.UDPConn
			var tcp *net.TCPListener
			must(t, e.ns.do(func() (err error) {
				if udp, err = net.ListenUDP("udp"+ip, &net.UDPAddr{Port: int(port)}); err == nil {
					tcp, err = net.ListenTCP("tcp"+ip, &net.TCPAddr{Port: int(port)})
				}
				return err
			}))
			a.note(t, udp, func(b []byte) []byte { return b })
			accept(t, tcp)
		}
		network, request := "ip4:icmp", byte(8)
		if ip == "6" {
			network, request = "ip6:ipv6-icmp", 128
		}
		var icmp *net.IPConn
		must(t, e.ns.do(func() (err error) {
			icmp, err = net.ListenIP(network, nil)
			return err
		}))
		a.note(t, icmp, func(b []byte) []byte {
			if b[0] != request {
				return nil
			}
			return b[8:]
		})
	}
}

// note notes the numbers in what a socket receives.
func (a *arrivals) note(t *testing.T, conn net.PacketConn, payload func([]byte) []byte) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if p := payload(buf[:n]); len(p) == 4 {
				a.add(binary.BigEndian.Uint32(p))
			}
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
}

func accept(t *testing.T, ln *net.TCPListener) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			_ = conn.SetLinger(0) // the tuple is free again
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
}

// send sends the probes. Of TCP it waits until they are connected, or were lost.
func (a *arrivals) send(t *testing.T, probes []probe) {
	t.Helper()
	var wg sync.WaitGroup
	for _, p := range probes {
		if p.protocol != "TCP" {
			must(t, p.from.ns.do(p.throw))
			continue
		}
		wg.Go(func() {
			if p.connect() {
				a.add(p.number)
			}
		})
	}
	wg.Wait()
}

// connect reports whether a TCP connection comes to be.
func (p probe) connect() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	var conn net.Conn
	err := p.from.ns.do(func() (err error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.source.AsSlice()}}
		conn, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(p.destination, p.port).String())
		return err
	})
	if err != nil {
		return false
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
	return true
}

// throw sends one datagram or echo request that carries the probe's number.
func (p probe) throw() error {
	text := binary.BigEndian.AppendUint32(nil, p.number)
	if p.protocol == "UDP" {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: p.source.AsSlice()}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.destination, p.port)))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_, err = conn.Write(text)
		return err
	}
	network, request := "ip4:icmp", byte(8)
	if p.source.Is6() {
		network, request = "ip6:ipv6-icmp", 128 // the kernel fills in the checksum
	}
	conn, err := net.DialIP(network, &net.IPAddr{IP: p.source.AsSlice()}, &net.IPAddr{IP: p.destination.AsSlice()})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// The number is the id too, so that the answer to another is not an answer to this.
	msg := append([]byte{request, 0, 0, 0, text[2], text[3], text[0], text[1]}, text...)
	if p.source.Is4() {
		binary.BigEndian.PutUint16(msg[2:], checksum(msg))
	}
	_, err = conn.Write(msg)
	return err
}

// checksum is the Internet checksum (RFC 1071) of a message of even length.
func checksum(msg []byte) uint16 {
	var sum uint32
	for i := 0; i < len(msg); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(msg[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
