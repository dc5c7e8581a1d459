package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"
)

// Waits between two tries to follow the engine. The wait doubles from the first to the last
// while the engine is away, or hangs up at once.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Follow calls wake for every event that may change what Look tells, or upon which the
// engine writes its rules anew: a bridge network made, removed, joined or left, a container
// started or ended, the daemon's configuration read again. It also does so each time the
// engine is there to be followed, at first and when it came back, since nobody tells what
// happened before. It only wakes, may do so too often, and never from two goroutines; wake
// should not block. Follow goes on until ctx ends.
func (c *Client) Follow(ctx context.Context, wake func()) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		// Why it ended does not matter here: Look tells what is wrong with the engine.
		_ = c.stream(ctx, wake)
		if time.Since(began) > lastWait {
			wait = firstWait
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastWait)
	}
}

// stream wakes for events until the engine hangs up.
func (c *Client) stream(ctx context.Context, wake func()) error {
	// The engine answers before it subscribes us. It is asked for what happened since now, so
	// that nothing is lost between the answer, which wakes, and that.
	now, pid := time.Now(), c.activation.dockerd(c.socket)
	version, err := c.version(ctx)
	if err != nil {
		return err
	}
	answer, err := c.get(ctx, version+"/events?"+url.Values{
		"since":   {fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond())},
		"filters": {`{"type":["network","container","daemon"],"event":["create","destroy","connect","disconnect","start","die","reload"]}`},
	}.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	wake()
	for events := json.NewDecoder(answer.Body); ; {
		var e event
		if err := events.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				c.activation.lost(pid)
			}
			return fmt.Errorf("%s: follow its events: %w", c, err)
		}
		if e.matters() {
			wake()
		}
	}
}

// event is what is read of one event. The attribute type of a network is its driver.
type event struct {
	Type, Action string
	Actor        struct {
		Attributes struct{ Type string }
	}
}

// matters is false for what the filter lets through for having the name of another thing's
// event: a container's create and destroy.
func (e event) matters() bool {
	switch e.Type {
	case "network":
		return e.Actor.Attributes.Type == "bridge"
	case "container":
		return e.Action == "start" || e.Action == "die"
	default:
		return e.Type == "daemon"
	}
}
