package agent

import (
	"context"
	"strings"
	"time"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// uplink is what the cloud says of the interface that carries the host's private address,
// where that is a secondary one; the zero value stands for the primary one.
type uplink struct {
	mac     string
	id      api.InterfaceID
	vswitch api.VSwitchID
	err     error // why the cloud did not say
	asked   time.Time
}

// locate finds the uplink in the cloud: a route to a host whose uplink is a secondary
// interface must name the interface. It is asked for once, and again at times until
// there is an answer.
func (a *Agent) locate(ctx context.Context, f host.Facts) uplink {
	primary := a.config.Identity.MAC
	if a.config.Interfaces == nil || primary == "" || f.UplinkMAC == "" || strings.EqualFold(primary, f.UplinkMAC) {
		return uplink{}
	}
	known := a.uplink.mac == f.UplinkMAC
	if known && (a.uplink.err == nil || time.Since(a.uplink.asked) < a.config.Poll) {
		return a.uplink
	}
	u := uplink{mac: f.UplinkMAC, asked: time.Now()}
	id, err := a.config.Interfaces.Interface(ctx, u.mac)
	var vswitch string
	if err == nil {
		vswitch, err = a.config.Interfaces.InterfaceVSwitch(ctx, u.mac)
	}
	if u.err = err; err == nil {
		u.id, u.vswitch = api.InterfaceID(id), api.VSwitchID(vswitch)
	}
	a.uplink = u
	return u
}

// place is where the host is attached to the VPC. While that cannot be told it is where it
// was: the routes must not move to another interface and back.
func (v *view) place(id Identity, own *api.Host) (api.InterfaceID, api.VSwitchID) {
	switch {
	case v.uplink.id != "":
		return v.uplink.id, v.uplink.vswitch
	case (v.facts.Uplink == "" || v.uplink.err != nil) && own != nil && own.IP == id.IP && own.Uplink != "":
		return own.Uplink, own.VSwitch
	default:
		return "", id.VSwitch
	}
}
