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
func (s *Service) recall(w *world, c *call) (id string, repeated bool, err error) {
	token := c.get("ClientToken")
	if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r > 127 }) {
		return "", false, illegal("ClientToken")
	}
	before, known := s.tokens[token]
	switch {
	case token == "" || !known || c.now.Sub(before.at) > c.tokenMemory:
		return "", false, nil
	case !maps.Equal(before.params, intentOf(c)):
		return "", false, refuse("IdempotentParameterMismatch")
	}
	sw := w.vswitch(before.params["VSwitchId"])
	e := w.entryByID(before.id)
	if e != nil && e.underWay() || sw != nil && sw.underWay() {
		return "", false, refuse("LastTokenProcessing")
	}
	return before.id, true, nil
}

// Begin notes that a change with a ClientToken is under way, and refuses a second one with
// the same token. The caller holds the world, as with the other methods.
func (s *Service) Begin(c *call) error {
	token := c.get("ClientToken")
	if token == "" || c.action != "CreateRouteEntry" && c.action != "AssociateRouteTable" {
		return nil // the others have no memory
	}
	switch other := s.running[token]; {
	case other == nil:
		s.running[token] = c
		return nil
	case !maps.Equal(intentOf(other), intentOf(c)):
		return refuse("IdempotentParameterMismatch")
	}
	return refuse("LastTokenProcessing")
}

// End forgets what Begin noted.
func (s *Service) End(c *call) {
	maps.DeleteFunc(s.running, func(_ string, other *call) bool { return other == c })
}

func (s *Service) remember(c *call, id string) {
	token := c.get("ClientToken")
	if token == "" || c.rehearsed {
		return
	}
	maps.DeleteFunc(s.tokens, func(_ string, r remembered) bool { return c.now.Sub(r.at) > c.tokenMemory })
	s.tokens[token] = remembered{intentOf(c), id, c.now}
}

// intentOf is what a request asks for, without what differs between two attempts.
func intentOf(c *call) map[string]string {
	out := map[string]string{"Action": c.action}
	for _, name := range [...]string{
		"RouteTableId", "DestinationCidrBlock", "NextHopId", "NextHopType", "RouteEntryName", "Description", "VSwitchId", "PrivateIpAddress",
	} {
		out[name] = c.params[name]
	}
	for name, value := range c.params {
		if strings.HasPrefix(name, "NextHopList.") {
			out[name] = value
		}
	}
	return out
}
