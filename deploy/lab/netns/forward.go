package netns

import (
	"context"
	"io"
	"net"
	"sync"
)

// ForwardTCP passes connections that ln accepts on into the namespace at path, to the first of
// the addresses that takes them. It returns, with all of them closed, when the context ends.
func ForwardTCP(ctx context.Context, ln net.Listener, path string, addresses []string) error {
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		open.Go(func() { relayTCP(ctx, conn, path, addresses) })
	}
}

// relayTCP copies both ways until both sides have said all, one fails, or the context ends.
func relayTCP(ctx context.Context, near net.Conn, from string, addresses []string) {
	defer func() { _ = near.Close() }()
	var far net.Conn
	for _, address := range addresses {
		var err error
		if far, err = DialTCP(ctx, from, address); err == nil {
			break
		}
	}
	if far == nil {
		return // the caller sees its connection closed, as with any server that is down
	}
	defer func() { _ = far.Close() }()
	defer context.AfterFunc(ctx, func() {
		_ = near.Close()
		_ = far.Close()
	})()
	var both sync.WaitGroup
	both.Go(func() { copyOneWay(far, near) })
	both.Go(func() { copyOneWay(near, far) })
	both.Wait()
}

func copyOneWay(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
