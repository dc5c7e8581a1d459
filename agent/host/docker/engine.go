// Package docker asks the Docker engine of this host, over the API on its unix socket, what
// the kernel does not know: which firewall it writes, and what its bridge networks are meant
// to be. It only reads. Engines from 20.10 to 29 answer it, each in its own newest version
// of the API: an engine drops old versions (29.0 refuses all below 1.44) sooner than it
// renames the few fields that are read here.
//
// The calls are made with net/http alone: in an idle agent that cost 0.2 MiB of resident
// memory, and 1.0 MiB with moby's client (v0.6.2, linux/amd64).
package docker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/api"
)

// Client asks one engine. Its methods may be called at the same time.
type Client struct {
	socket     string
	http       *http.Client
	activation activation
}

// Dial prepares to ask the engine at an address like unix:///var/run/docker.sock, and does
// not connect yet.
func Dial(address string) (*Client, error) {
	socket, ok := strings.CutPrefix(address, "unix://")
	if !ok || !strings.HasPrefix(socket, "/") {
		return nil, fmt.Errorf("docker address %q is not like unix:///var/run/docker.sock: %w", address, api.ErrInvalid)
	}
	c := &Client{socket: socket, activation: activation{root: "/"}}
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.connect, DisableKeepAlives: true}}
	return c, nil
}

// Close ends what is left of the connections. A Follow ends with its context, not by this.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Transport carries HTTP to the engine, for a caller that does more than this package: it only
// reads, and the lab also runs containers.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// Look asks for the engine and its networks. Errors: ErrUnreachable when no engine answers
// before ctx ends, ErrPermission when the socket may not be opened, ErrUnsupported when what
// answers is no Docker engine, ErrInvalid when the answer makes no sense.
func (c *Client) Look(ctx context.Context) (host.Engine, error) {
	version, err := c.version(ctx)
	if err != nil {
		return host.Engine{}, err
	}
	var info infoAnswer
	if err := c.ask(ctx, version+"/info", &info); err != nil {
		return host.Engine{}, err
	}
	var networks []networkAnswer
	if err := c.ask(ctx, version+"/networks", &networks); err != nil {
		return host.Engine{}, err
	}
	e := info.engine()
	for _, answer := range networks {
		if answer.Driver != "bridge" {
			continue
		}
		n, err := answer.network()
		if err != nil {
			return host.Engine{}, fmt.Errorf("%s: network %s: %w: %w", c, answer.Name, err, api.ErrInvalid)
		}
		e.Networks = append(e.Networks, n)
	}
	// Names of networks need not be unique.
	slices.SortFunc(e.Networks, func(a, b host.Network) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return e, nil
}

func (c *Client) String() string { return "docker at " + c.socket }
