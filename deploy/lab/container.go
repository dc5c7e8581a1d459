package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/netns"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// findContainer finds the container of a host, by asking its engine.
func findContainer(ctx context.Context, lab string, h Host) (container, error) {
	if h.Docker == "" {
		return plainContainer(lab, h), nil
	}
	c, err := dockerAPI(h.Docker).inspect(ctx)
	if err == nil && !c.addr.IsValid() {
		err = fmt.Errorf("it has no address: %w", api.ErrNotFound)
	}
	if err != nil {
		return c, fmt.Errorf("find the container of %s: %w", h.Name, err)
	}
	return c, nil
}

// checkService gives nil when the container of the host answers to its own host.
func checkService(ctx context.Context, lab string, h Host) error {
	c, err := findContainer(ctx, lab, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = probe.Exchange(ctx, netns.Path(h.Namespace), c.addr)
	return err
}

// Stream pings the container of one host from that of another, 20 times a second, until
// the context ends, and counts what was lost. The containers are found at the start.
func (v Inventory) Stream(ctx context.Context, from, to Host) (probe.Traffic, error) {
	near, far, err := v.findPair(ctx, from, to)
	if err != nil {
		return probe.Traffic{}, err
	}
	return probe.Stream(ctx, near.netns, far.addr)
}

// HoldConnection waits until the container of one host can connect to that of another over
// TCP, and keeps that one connection, with a line each way ten times a second, until the
// context ends. An error says that the connection broke, or that nothing came through for a
// minute.
func (v Inventory) HoldConnection(ctx context.Context, from, to Host) (probe.Talk, error) {
	near, far, err := v.findPair(ctx, from, to)
	if err != nil {
		return probe.Talk{}, err
	}
	return probe.HoldConnection(ctx, near.netns, far.netns, far.addr)
}

func (v Inventory) findPair(ctx context.Context, from, to Host) (near, far container, err error) {
	if near, err = findContainer(ctx, v.Name, from); err != nil {
		return near, far, err
	}
	far, err = findContainer(ctx, v.Name, to)
	return near, far, err
}
