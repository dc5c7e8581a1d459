package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// Outsider is an instance of the VPC that is no host of the cluster: it has a vSwitch of
// its own and runs no agent. It serves what the containers do.
type Outsider struct {
	Namespace string     `json:"namespace"` // name of its network namespace
	IP        netip.Addr `json:"ip"`
}

const (
	outsidePort = "vo"
	outsiderID  = "i-8vbsealanelabout0001"
)

func (o Outsider) exists() bool { return o.IP.IsValid() }

func (o Outsider) instance() alisim.Instance {
	return alisim.Instance{ID: outsiderID, Name: "outsider", VSwitch: outVSwitch, IP: o.IP, SecurityGroups: []string{SecurityGroup}}
}

// plugOutsider makes the outsider, where the lab has one.
func (l *Lab) plugOutsider() error {
	if !l.opts.Outsider {
		return nil
	}
	o := Outsider{Namespace: namespaceName(l.opts.Name, "out"), IP: addressAfter(l.layout.outNet.Addr(), mgrOctet)}
	if err := l.attach(o.Namespace, outsidePort, o.IP, l.layout.outNet); err != nil {
		return err
	}
	return l.updateInventory(func(v *Inventory) { v.Outsider = o })
}

// listenOutsider gives nil where the lab has no outsider.
func (l *Lab) listenOutsider(ctx context.Context) (net.Listener, error) {
	o := l.Inventory().Outsider
	if !o.exists() {
		return nil, nil
	}
	return netns.ListenTCP(ctx, netns.Path(o.Namespace), fmt.Sprintf("%s:%d", o.IP, probe.ServicePort))
}

// Narrow sets the MTU of the link between a host and the VPC. Containers do not learn of
// it but from the routers on the way.
func (l *Lab) Narrow(h Host, mtu int) error {
	for namespace, port := range map[string]string{h.Namespace: "eth0", l.router.Namespace: h.port()} {
		err := netns.WithLinks(namespace, func(n *netlink.Handle) error {
			link, err := n.LinkByName(port)
			if err != nil {
				return err
			}
			return n.LinkSetMTU(link, mtu)
		})
		if err != nil {
			return fmt.Errorf("set the MTU of %s to %d: %w", h.Name, mtu, err)
		}
	}
	return nil
}
