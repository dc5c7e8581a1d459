package vpc

import (
	"maps"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
)

// remembered is what a ClientToken was used for.
type remembered struct {
	params map[string]string
	id     string // of the entry that was made
	at     time.Time
}

// recallToken answers a repeated request: the id of the entry that the first one made, or why it
// is no repetition.
func (s *Service) recallToken(w *world.World, c *call.Call) (id string, repeated bool, err error) {
	token := c.Param("ClientToken")
	if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r > 127 }) {
		return "", false, world.IllegalParameter("ClientToken")
	}
	before, known := s.tokens[token]
	switch {
	case token == "" || !known || c.Now.Sub(before.at) > c.TokenMemory:
		return "", false, nil
	case !maps.Equal(before.params, intentOf(c)):
		return "", false, world.NewRefusal("IdempotentParameterMismatch")
	}
	sw := w.VSwitch(before.params["VSwitchId"])
	e := w.EntryByID(before.id)
	if e != nil && e.IsMaking() || sw != nil && sw.IsMoving() {
		return "", false, world.NewRefusal("LastTokenProcessing")
	}
	return before.id, true, nil
}

// BeginChange notes that a change with a ClientToken is under way, and refuses a second one with
// the same token. The caller holds the world, as with the other methods.
func (s *Service) BeginChange(c *call.Call) error {
	token := c.Param("ClientToken")
	if token == "" || c.Action != "CreateRouteEntry" && c.Action != "AssociateRouteTable" {
		return nil // the others have no memory
	}
	switch other := s.running[token]; {
	case other == nil:
		s.running[token] = c
		return nil
	case !maps.Equal(intentOf(other), intentOf(c)):
		return world.NewRefusal("IdempotentParameterMismatch")
	}
	return world.NewRefusal("LastTokenProcessing")
}

// EndChange forgets what BeginChange noted.
func (s *Service) EndChange(c *call.Call) {
	maps.DeleteFunc(s.running, func(_ string, other *call.Call) bool { return other == c })
}

func (s *Service) rememberToken(c *call.Call, id string) {
	token := c.Param("ClientToken")
	if token == "" || c.Rehearsed {
		return
	}
	maps.DeleteFunc(s.tokens, func(_ string, r remembered) bool { return c.Now.Sub(r.at) > c.TokenMemory })
	s.tokens[token] = remembered{intentOf(c), id, c.Now}
}

// intentOf is what a request asks for, without what differs between two attempts.
func intentOf(c *call.Call) map[string]string {
	out := map[string]string{"Action": c.Action}
	for _, name := range [...]string{
		"RouteTableId", "DestinationCidrBlock", "NextHopId", "NextHopType", "RouteEntryName", "Description", "VSwitchId", "PrivateIpAddress",
	} {
		out[name] = c.Params[name]
	}
	for name, value := range c.Params {
		if strings.HasPrefix(name, "NextHopList.") {
			out[name] = value
		}
	}
	return out
}

// Service answers the actions of the VPC. It remembers the ClientTokens of its changes. The
// caller of its methods holds the world.
type Service struct {
	tokens  map[string]remembered
	running map[string]*call.Call // calls under way, by ClientToken
}

// New is a service that was never called.
func New() *Service {
	return &Service{tokens: map[string]remembered{}, running: map[string]*call.Call{}}
}
