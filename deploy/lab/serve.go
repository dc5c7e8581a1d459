package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/cloud/alisim/kernel"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/netns"
)

// startServices starts what this process itself does for the lab: the cloud's API and metadata
// inside the VPC, the routes of its tables in the kernel, and a way to the controllers'
// API from the machine. All of it ends with leave.
func (l *Lab) startServices(ctx context.Context) error {
	router := netns.Path(l.router.Namespace)
	metadata, err := netns.ListenTCP(ctx, router, metadataAddress+":80")
	if err != nil {
		return fmt.Errorf("serve metadata: %w", err)
	}
	openAPI, err := netns.ListenTCP(ctx, router, openAPIAddress+":80")
	if err != nil {
		return fmt.Errorf("serve the cloud's API: %w", err)
	}
	outsider, err := l.listenOutsider(ctx)
	if err != nil {
		return fmt.Errorf("serve on the outsider: %w", err)
	}
	outside, err := listenOutside(ctx)
	if err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.services, life = errgroup.WithContext(life)
	l.leave = cancel
	l.services.Go(func() error { return serveHTTP(life, metadata, l.sim.Metadata()) })
	l.services.Go(func() error { return serveHTTP(life, openAPI, l.sim.API()) })
	if outsider != nil {
		l.services.Go(func() error { return serveHTTP(life, outsider, engine.PeerHandler()) })
	}
	var replicas []string
	for n := range l.opts.Controllers {
		replicas = append(replicas, l.apiAddress(n+1))
	}
	l.services.Go(func() error { return netns.ForwardTCP(life, outside, netns.Path(l.mgrNamespace()), replicas) })
	l.services.Go(func() error {
		return kernel.Drive(life, l.sim, kernel.Options{Namespace: router, Ports: l.ports})
	})
	return l.updateInventory(func(v *Inventory) { v.API = "http://" + outside.Addr().String() })
}

// ports tells where in the VPC each host is plugged in.
func (l *Lab) ports() map[string]kernel.Port {
	ports := make(map[string]kernel.Port)
	for _, h := range l.Inventory().Hosts {
		ports[string(h.Instance)] = kernel.Port{Link: h.port()}
	}
	ports[outsiderID] = kernel.Port{Link: outsidePort} // absent where there is none
	return ports
}

// listenOutside takes the port where sealane looks for a controller, or else any free one.
func listenOutside(ctx context.Context) (net.Listener, error) {
	if ln, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", apiPort)); err == nil {
		return ln, nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the controllers' API on loopback: %w", err)
	}
	return ln, nil
}

// Wait returns when the context ends, or with an error when something that this process
// does for the lab has ended by itself.
func (l *Lab) Wait(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- l.services.Wait() }() // ends with Down at the latest
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// serveHTTP serves until the context ends.
func serveHTTP(ctx context.Context, ln net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	}
	return nil
}
