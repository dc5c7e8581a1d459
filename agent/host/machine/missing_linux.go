package machine

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/agent/host/sysctl"
	"github.com/sealane/sealane/api"
)

// missing names what this process needs and lacks, each with what it is for, and whether
// the firewall can be looked at without it.
//
// Measured with iptables 1.8.9: without CAP_NET_RAW the legacy variant cannot even list,
// and the nft variant fails at each rule that matches a set, in listing it as well.
func (h *Host) missing(ctx context.Context) (lacks []string, blind bool) {
	lack := func(absent, hides bool, what string) {
		if absent {
			lacks, blind = append(lacks, what), blind || hides
		}
	}
	lack(!kernel.Capable(unix.CAP_NET_ADMIN), true, "CAP_NET_ADMIN (to change rules and kernel settings)")
	lack(!kernel.Capable(unix.CAP_NET_RAW), true, "CAP_NET_RAW (iptables needs it for rules that match sets, and iptables-legacy for all)")
	lack(!sysctl.Writable(), false, "a writable /proc/sys (to change kernel settings; in a container it is read-only unless privileged)")
	d, err := h.readDocked(ctx)
	if d.Present {
		return lacks, blind // it needs no iptables, and so do we
	}
	lack(errors.Is(err, api.ErrUnsupported), true, "the command nft (to read and change rules beside Docker's, which are in nftables)")
	for _, command := range h.rules.MissingCommands() {
		lack(true, true, command)
	}
	return lacks, blind
}
