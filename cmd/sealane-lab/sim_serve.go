package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// simServer is a server for the simulator. A fault may delay an answer for as long as it
// likes, so neither reading nor writing has a deadline (one for reading would cancel the
// requests that are delayed past it); and a request line may be so long that the simulator
// itself refuses it, as the cloud's gateway does with an HTML 414.
func simServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 2 << 20}
}

// serveSim serves one address of the simulator until ctx ends.
func serveSim(ctx context.Context, listener net.Listener, handler http.Handler) error {
	srv := simServer(handler)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }() // ends with Shutdown below, or with its own error
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // requests that outlast the grace are cut
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	return nil
}
