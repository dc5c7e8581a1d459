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
	address, err := net.ParseMAC(mac)
	if err != nil || len(address) != 6 {
		return "", fmt.Errorf("interface with MAC address %.80q: not an Ethernet address: %w", mac, api.ErrInvalid)
	}
	s, done, err := c.open(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	// The service spells addresses in lower case with colons, as net does.
	path := "network/interfaces/macs/" + address.String() + "/network-interface-id"
	eni, err = s.get(ctx, path)
	switch {
	case err != nil:
		return "", fmt.Errorf("interface with MAC address %s: %w", address, err)
	case !isID(eni, "eni-"):
		return "", fmt.Errorf("metadata service at %s: %s is %.80q: %w", s.url, path, eni, api.ErrInvalid)
	}
	return eni, nil
}
