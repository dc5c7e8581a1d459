package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/deploy/lab/netns"
)

// A talk is a line each way at this pace; an end that hears nothing for so long gives up.
// TCP itself would try for a quarter of an hour.
const (
	talkEvery = 100 * time.Millisecond
	talkLimit = time.Minute
	// talkTry is clear of the times at which a SYN is sent again, 1 s and 3 s (RFC 6298): an
	// attempt that ends just when it comes through is a connection that nobody has.
	talkTry = 1500 * time.Millisecond
)

// Talk is what came of a held connection.
type Talk struct {
	Lines   int           // sent and answered
	Longest time.Duration // that an answer took
	Source  netip.Addr    // of the connection, as the other end saw it
}

// HoldConnection waits until a TCP connection can be made from inside the namespace at path
// from to the address to, which the namespace at path far has, and keeps that one connection,
// with a line each way ten times a second, until the context ends. An error says that the
// connection broke, or that nothing came through for a minute.
func HoldConnection(ctx context.Context, from, far string, to netip.Addr) (Talk, error) {
	ln, err := netns.ListenTCP(ctx, far, fmt.Sprintf("%s:0", to))
	if err != nil {
		return Talk{}, err
	}
	var talk Talk
	over, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g, over := errgroup.WithContext(over)
	defer context.AfterFunc(over, func() { _ = ln.Close() })()
	var source netip.Addr
	g.Go(func() error {
		var err error
		source, err = echoLines(over, ln)
		return err
	})
	g.Go(func() error {
		defer cancel()
		var err error
		talk, err = exchangeLines(ctx, over, from, ln.Addr().String())
		return err
	})
	err = g.Wait()
	talk.Source = source
	return talk, err
}

// echoLines answers the lines of the first connection that says something, until the context
// ends. One that says nothing is of a caller who gave up while it connected.
func echoLines(ctx context.Context, ln net.Listener) (netip.Addr, error) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			return netip.Addr{}, err
		}
		said, err := echoConnection(ctx, conn)
		if said == 0 && ctx.Err() == nil {
			continue
		}
		source := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
			return source, fmt.Errorf("the far end of the connection: %w", err)
		}
		return source, nil
	}
}

// echoConnection sends back what a connection says, and tells how much that was.
func echoConnection(ctx context.Context, conn net.Conn) (said int64, err error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	return io.Copy(conn, conn)
}

// exchangeLines connects as soon as it can and then talks until the context ends. It returns
// early when over ends, which the far end's failure does.
func exchangeLines(ctx, over context.Context, from, address string) (Talk, error) {
	conn, err := dialPatiently(ctx, from, address)
	if err != nil || conn == nil {
		return Talk{}, err
	}
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(talkEvery)
	defer tick.Stop()
	answers := bufio.NewReader(conn)
	var t Talk
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return t, nil
		case <-over.Done():
			return t, nil
		}
		began := time.Now()
		if err := exchangeLine(conn, answers, t.Lines); err != nil {
			return t, fmt.Errorf("connection to %s after %d lines: %w", address, t.Lines, err)
		}
		t.Lines++
		t.Longest = max(t.Longest, time.Since(began))
	}
}

func exchangeLine(conn net.Conn, answers *bufio.Reader, n int) error {
	if err := conn.SetDeadline(time.Now().Add(talkLimit)); err != nil {
		return err
	}
	said := fmt.Sprintf("line %d\n", n)
	if _, err := io.WriteString(conn, said); err != nil {
		return err
	}
	heard, err := answers.ReadString('\n')
	if err == nil && heard != said {
		err = fmt.Errorf("said %q, heard %q", said, heard)
	}
	return err
}

// dialPatiently tries until it is connected, or the context ends: then there is neither
// connection nor error.
func dialPatiently(ctx context.Context, from, address string) (net.Conn, error) {
	tick := time.NewTicker(talkEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, talkTry)
		conn, err := netns.DialTCP(attempt, from, address)
		cancel()
		if err == nil {
			return conn, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil, nil
}
