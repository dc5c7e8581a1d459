package cloud_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

func route() api.Route {
	return api.Route{
		Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: "i-1",
		Mark: api.Mark{Cluster: "c", Host: "i-1"},
	}
}

func TestValidateAccepts(t *testing.T) {
	foreign := route()
	foreign.Mark = api.Mark{}
	for _, c := range []api.Change{
		{Verb: api.Create, Route: route()},
		{Verb: api.Delete, Route: foreign},
		{Verb: api.Replace, Route: route(), Was: &foreign},
	} {
		if err := cloud.Validate(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*api.Change){
		"no table":        func(c *api.Change) { c.Route.Table = "" },
		"no destination":  func(c *api.Change) { c.Route.Destination = netip.Prefix{} },
		"IPv4 in IPv6":    func(c *api.Change) { c.Route.Destination = netip.MustParsePrefix("::ffff:10.0.0.0/120") },
		"host bits":       func(c *api.Change) { c.Route.Destination = netip.MustParsePrefix("10.0.0.1/24") },
		"default route":   func(c *api.Change) { c.Route.Destination = netip.MustParsePrefix("0.0.0.0/0") },
		"no next hop":     func(c *api.Change) { c.Route.NextHop = "" },
		"other hop type":  func(c *api.Change) { c.Route.HopType = "NatGateway" },
		"no verb":         func(c *api.Change) { c.Verb = "" },
		"no mark":         func(c *api.Change) { c.Route.Mark = api.Mark{Cluster: "c"} },
		"replace nothing": func(c *api.Change) { c.Verb = api.Replace },
		"replace another": func(c *api.Change) {
			was := route()
			was.Table = "vtb-2"
			c.Verb, c.Was = api.Replace, &was
		},
	} {
		c := api.Change{Verb: api.Create, Route: route()}
		spoil(&c)
		if err := cloud.Validate(c); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}
