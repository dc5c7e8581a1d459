package alisim

import (
	"maps"
	"strings"
	"time"
)

// remembered is what a ClientToken was used for.
type remembered struct {
	params map[string]string
	id     string // of the entry that was made
	at     time.Time
}

// recall answers a repeated request: the id of the entry that the first one made, or why it
// is no repetition.
func (s *Sim) recall(c *call) (id string, repeated bool, err error) {
	token := c.get("ClientToken")
	if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r > 127 }) {
		return "", false, illegal("ClientToken")
	}
	before, known := s.tokens[token]
	switch {
	case token == "" || !known || c.now.Sub(before.at) > s.opts.TokenMemory:
		return "", false, nil
	case !maps.Equal(before.params, c.intent()):
		return "", false, refuse("IdempotentParameterMismatch")
	}
	if e := s.world.entryByID(before.id); e != nil && e.State == Pending && !e.stuck {
		return "", false, refuse("LastTokenProcessing")
	}
	return before.id, true, nil
}

func (s *Sim) remember(c *call, id string) {
	token := c.get("ClientToken")
	if token == "" {
		return
	}
	maps.DeleteFunc(s.tokens, func(_ string, r remembered) bool { return c.now.Sub(r.at) > s.opts.TokenMemory })
	s.tokens[token] = remembered{c.intent(), id, c.now}
}

// intent is what a request asks for, without what differs between two attempts.
func (c *call) intent() map[string]string {
	out := map[string]string{"Action": c.action}
	for _, name := range [...]string{
		"RouteTableId", "DestinationCidrBlock", "NextHopId", "NextHopType", "RouteEntryName", "Description", "VSwitchId",
	} {
		out[name] = c.params[name]
	}
	return out
}
