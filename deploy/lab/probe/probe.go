// Package probe sends packets between containers and tells what came of them: single pings and
// exchanges, streams of pings, and connections that are held.
package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
)

// The service that every container and the outsider have.
const (
	ServicePort = 8080
	PeerPath    = "/cgi-bin/peer" // answers with the address that the request came from
)

// Exchange makes one HTTP exchange over TCP from the namespace with the service at addr.
// It returns the address that the service saw.
func Exchange(ctx context.Context, from string, addr netip.Addr) (netip.Addr, error) {
	body, err := Get(ctx, from, fmt.Sprintf("%s:%d", addr, ServicePort), PeerPath)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(strings.TrimSpace(body))
}

// Get asks an HTTP server from inside the namespace at path from. It returns the answer's
// body and wants status 200. The address is numeric, with a port.
func Get(ctx context.Context, from, address, path string) (string, error) {
	conn, err := netns.DialTCP(ctx, from, address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %w", address, resp.Status, api.ErrUnreachable)
	}
	return string(body), nil
}

// pinger sends echo requests from inside a namespace.
type pinger struct {
	conn *net.IPConn
	id   uint16
}

func newPinger(from string, to netip.Addr) (*pinger, error) {
	p := &pinger{id: uint16(rand.Uint32())}
	err := netns.Inside(from, func() error {
		var err error
		p.conn, err = net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: to.AsSlice()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a socket for ping: %w", err)
	}
	return p, nil
}

func (p *pinger) close() { _ = p.conn.Close() }

// sendRequest sends the echo request with this number (RFC 792).
func (p *pinger) sendRequest(seq uint16) error {
	msg := make([]byte, 8+56)
	msg[0] = 8 // echo
	binary.BigEndian.PutUint16(msg[4:], p.id)
	binary.BigEndian.PutUint16(msg[6:], seq)
	binary.BigEndian.PutUint16(msg[2:], checksum(msg))
	_, err := p.conn.Write(msg)
	return err
}

// receiveReply waits until the deadline for a reply to any request of this pinger. The socket
// is connected, so that the kernel hands out packets of the other end only.
func (p *pinger) receiveReply(deadline time.Time) (seq uint16, err error) {
	if err := p.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := p.conn.ReadFrom(buf) // unlike Read it strips the IP header
		if err != nil {
			return 0, err
		}
		if n >= 8 && buf[0] == 0 && binary.BigEndian.Uint16(buf[4:]) == p.id {
			return binary.BigEndian.Uint16(buf[6:]), nil
		}
	}
}

// Ping gives nil when an echo request, sent anew each 250 ms from inside the namespace at
// path from, was answered before the context ended.
func Ping(ctx context.Context, from string, to netip.Addr) error {
	p, err := newPinger(from, to)
	if err != nil {
		return err
	}
	defer p.close()
	for seq := uint16(1); ctx.Err() == nil; seq++ {
		// An unreachable destination is told by an error; the next request may find it.
		_ = p.sendRequest(seq)
		if _, err := p.receiveReply(time.Now().Add(250 * time.Millisecond)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no reply to ping: %w", api.ErrTimeout)
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
