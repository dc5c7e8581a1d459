package lab

import (
	"context"
	"io"
	"net"
	"sync"
)

// forward passes TCP connections that ln accepts on to an address inside a namespace. It
// returns, with all of them closed, when the context ends.
func forward(ctx context.Context, ln net.Listener, namespace, address string) error {
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
		open.Go(func() { relay(ctx, conn, namespace, address) })
	}
}

// relay copies both ways until both sides have said all, one fails, or the context ends.
func relay(ctx context.Context, near net.Conn, namespace, address string) {
	defer near.Close()
	far, err := dialInside(ctx, netnsPath(namespace), address)
	if err != nil {
		return // the caller sees its connection closed, as with any server that is down
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() {
		_ = near.Close()
		_ = far.Close()
	})()
	var both sync.WaitGroup
	both.Go(func() { pass(far, near) })
	both.Go(func() { pass(near, far) })
	both.Wait()
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
