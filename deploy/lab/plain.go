package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// plainEngine stands in where Docker is missing: a bridge in the host's namespace and a
// namespace for each container. The lab itself serves what the container would.
type plainEngine struct {
	lab string

	mu       sync.Mutex // guards services
	services map[int]*http.Server
}

func newPlainEngine(lab string) *plainEngine {
	return &plainEngine{lab: lab, services: make(map[int]*http.Server)}
}

// defaultBip is what Docker takes when it is given none.
func defaultBip() netip.Prefix { return netip.MustParsePrefix("172.17.0.1/16") }

// plainContainer is the container of a host: the first address after the bridge's.
func plainContainer(lab string, h Host) container {
	bip := h.Bip
	if !bip.IsValid() {
		bip = defaultBip()
	}
	return container{addr: bip.Addr().Next(), netns: netns.Path(containerNamespace(lab, h))}
}

func containerNamespace(lab string, h Host) string {
	return namespaceName(lab, fmt.Sprintf("c%d", h.Index))
}

func (e *plainEngine) start(ctx context.Context, h Host) error {
	bip := h.Bip
	if !bip.IsValid() {
		bip = defaultBip()
	}
	if err := netns.Make(containerNamespace(e.lab, h)); err != nil {
		return err
	}
	if err := e.addBridge(h, bip); err != nil {
		return fmt.Errorf("make docker0 of %s: %w", h.Name, err)
	}
	c := plainContainer(e.lab, h)
	if err := netns.SetAddress(containerNamespace(e.lab, h), netip.PrefixFrom(c.addr, bip.Bits()), bip.Addr()); err != nil {
		return fmt.Errorf("give the container of %s its address: %w", h.Name, err)
	}
	ln, err := netns.ListenTCP(ctx, c.netns, fmt.Sprintf("%s:%d", c.addr, probe.ServicePort))
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(tellPeer)}
	go func() { _ = server.Serve(ln) }() // ends when stop closes the server
	e.mu.Lock()
	e.services[h.Index] = server
	e.mu.Unlock()
	return checkService(ctx, e.lab, h)
}

// tellPeer answers as the script of the Docker image does.
func tellPeer(w http.ResponseWriter, r *http.Request) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, peer)
}

// addBridge makes docker0 and the wire from it to the container.
func (e *plainEngine) addBridge(h Host, bip netip.Prefix) error {
	return netns.WithLinks(h.Namespace, func(n *netlink.Handle) error {
		bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
		bridge.Name = "docker0"
		if err := n.LinkAdd(bridge); err != nil {
			return err
		}
		docker0, err := n.LinkByName("docker0")
		if err != nil {
			return err
		}
		if _, err := netns.AddVeth(n, "veth0", docker0.Attrs().Index, containerNamespace(e.lab, h)); err != nil {
			return err
		}
		return errors.Join(n.AddrAdd(docker0, &netlink.Addr{IPNet: netns.IPNet(bip)}), n.LinkSetUp(docker0))
	})
}

func (e *plainEngine) stop(h Host) {
	e.mu.Lock()
	server := e.services[h.Index]
	delete(e.services, h.Index)
	e.mu.Unlock()
	if server == nil {
		return
	}
	// What cannot be removed now is met by the sweep of Down, which tells.
	_ = server.Close()
	_ = removeBridge(h)
	_ = netns.Remove(containerNamespace(e.lab, h))
}
