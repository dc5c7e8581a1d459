package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/deploy/lab"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// held is one TCP connection that goes through many scenarios.
type held struct {
	name string
	end  context.CancelFunc
	done chan struct{} // closed when talk and err are final
	talk probe.Talk
	err  error
}

// hold opens a connection between two containers as soon as that can be, and keeps it.
func (c *cluster) hold(from, to lab.Host) {
	ctx, cancel := context.WithCancel(c.life)
	h := &held{name: from.Name + " -> " + to.Name, end: cancel, done: make(chan struct{})}
	inventory := c.Inventory()
	go func() { // ends with the test
		defer close(h.done)
		h.talk, h.err = inventory.HoldConnection(ctx, from, to)
	}()
	c.held = append(c.held, h)
}

// stillTalking fails the test if a connection broke.
func (c *cluster) stillTalking(t *testing.T, during string) {
	t.Helper()
	for _, h := range c.held {
		select {
		case <-h.done:
			t.Fatalf("the connection %s did not survive %q: %+v %v", h.name, during, h.talk, h.err)
		default:
		}
	}
}

// hangUp ends the connections and wants each to have talked to the last.
func (c *cluster) hangUp(t *testing.T) {
	t.Helper()
	c.stillTalking(t, t.Name())
	for _, h := range c.held {
		h.end()
		<-h.done
		if h.err != nil || h.talk.Lines == 0 {
			t.Errorf("the connection %s: %+v %v", h.name, h.talk, h.err)
		}
		t.Logf("the connection %s: %+v", h.name, h.talk)
	}
	c.held = nil
}

// foreign are the routes that are not the cluster's, with all that they carry.
func (c *cluster) foreign() []string {
	var all []string
	for _, r := range c.Sim().Routes(lab.Table) {
		if r.Name == lab.ForeignName && sealed(r).Mark.IsZero() {
			all = append(all, fmt.Sprintf("%+v", r))
		}
	}
	return all
}

// sealed is a simulated route as a provider without a key reads it.
func sealed(r alisim.Route) api.Route {
	return api.Seal{}.Open(api.Route{Table: lab.Table, Destination: r.Destination, NextHop: r.NextHop}, r.Name, r.Description)
}
