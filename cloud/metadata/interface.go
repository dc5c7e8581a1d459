package metadata

import (
	"context"
	"fmt"
	"net"

	"github.com/sealane/sealane/api"
)

// Interface asks for the id (eni-...) of the network interface with a MAC address, in any
// of the forms that net.ParseMAC knows. Agents call it for an uplink that is not the
// primary interface: a route to this host must then name the interface. Errors are those
// of Identity; ErrNotFound means that no interface of this instance has the address.
func (c Client) Interface(ctx context.Context, mac string) (eni string, err error) {
	return c.ofInterface(ctx, mac, "network-interface-id", "eni-")
}

// InterfaceVSwitch asks for the vSwitch (vsw-...) that such an interface is on, which need
// not be the primary one's. Errors are those of Interface.
func (c Client) InterfaceVSwitch(ctx context.Context, mac string) (vswitch string, err error) {
	return c.ofInterface(ctx, mac, "vswitch-id", "vsw-")
}

// ofInterface asks for an id of an interface, which begins with the prefix.
func (c Client) ofInterface(ctx context.Context, mac, what, prefix string) (id string, err error) {
	address, err := net.ParseMAC(mac)
	if err != nil || len(address) != 6 {
		return "", fmt.Errorf("interface with MAC address %.80q: not an Ethernet address: %w", mac, api.ErrInvalid)
	}
	s, done, err := c.openSession(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	// The service spells addresses in lower case with colons, as net does.
	path := "network/interfaces/macs/" + address.String() + "/" + what
	id, err = s.readValue(ctx, path)
	switch {
	case err != nil:
		return "", fmt.Errorf("interface with MAC address %s: %w", address, err)
	case !isID(id, prefix):
		return "", fmt.Errorf("metadata service at %s: %s is %.80q: %w", s.url, path, id, api.ErrInvalid)
	}
	return id, nil
}
