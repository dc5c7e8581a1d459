package engine

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

// Plain stands in where Docker is missing: a bridge in the host's namespace and a namespace
// for each container. This process itself serves what the container would.
type Plain struct {
	mu       sync.Mutex // guards services
	services map[string]*http.Server
}

// NewPlain makes the engine; nothing runs yet.
func NewPlain() *Plain { return &Plain{services: make(map[string]*http.Server)} }

// DefaultBip is what Docker takes when it is given none.
func DefaultBip() netip.Prefix { return netip.MustParsePrefix("172.17.0.1/16") }

// plainContainer is the container of a host: the first address after the bridge's.
func plainContainer(h Host) Container {
	bip := h.Bip
	if !bip.IsValid() {
		bip = DefaultBip()
	}
	return Container{Addr: bip.Addr().Next(), Netns: netns.Path(h.Container)}
}

// StartHost makes the bridge and the container's namespace, and serves there.
func (e *Plain) StartHost(ctx context.Context, h Host) error {
	bip := h.Bip
	if !bip.IsValid() {
		bip = DefaultBip()
	}
	if err := netns.Make(h.Container); err != nil {
		return err
	}
	if err := e.addBridge(h, bip); err != nil {
		return fmt.Errorf("make docker0 of %s: %w", h.Name, err)
	}
	c := plainContainer(h)
	if err := netns.SetAddress(h.Container, netip.PrefixFrom(c.Addr, bip.Bits()), bip.Addr()); err != nil {
		return fmt.Errorf("give the container of %s its address: %w", h.Name, err)
	}
	ln, err := netns.ListenTCP(ctx, c.Netns, fmt.Sprintf("%s:%d", c.Addr, probe.ServicePort))
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: PeerHandler()}
	go func() { _ = server.Serve(ln) }() // ends when stop closes the server
	e.mu.Lock()
	e.services[h.Name] = server
	e.mu.Unlock()
	return CheckService(ctx, h)
}

// PeerHandler answers as the script of the Docker image does.
func PeerHandler() http.Handler { return http.HandlerFunc(tellPeer) }

func tellPeer(w http.ResponseWriter, r *http.Request) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, peer)
}

// addBridge makes docker0 and the wire from it to the container.
func (e *Plain) addBridge(h Host, bip netip.Prefix) error {
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
		if _, err := netns.AddVeth(n, "veth0", docker0.Attrs().Index, h.Container); err != nil {
			return err
		}
		return errors.Join(n.AddrAdd(docker0, &netlink.Addr{IPNet: netns.IPNet(bip)}), n.LinkSetUp(docker0))
	})
}

// StopHost stops serving, and removes bridge and namespace.
func (e *Plain) StopHost(h Host) {
	e.mu.Lock()
	server := e.services[h.Name]
	delete(e.services, h.Name)
	e.mu.Unlock()
	if server == nil {
		return
	}
	// What cannot be removed now is met by the sweep of Down, which tells.
	_ = server.Close()
	_ = removeBridge(h)
	_ = netns.Remove(h.Container)
}
