package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// Verb is what a change does to a route.
type Verb string

// The three changes there are. A changed next hop is one replace, never a delete and a create.
const (
	Create  Verb = "create"
	Replace Verb = "replace"
	Delete  Verb = "delete"
)

// Change is one decided change of one route.
type Change struct {
	Verb   Verb   `json:"verb"`
	Route  Route  `json:"route"`         // what is to be; for a delete, what is
	Was    *Route `json:"was,omitempty"` // for a replace, what is; for a held create, the foreign route in the way
	Reason Reason `json:"reason"`
}

func (c Change) String() string {
	if c.Verb == Replace && c.Was != nil {
		return fmt.Sprintf("%s %s (was %s): %s", c.Verb, c.Route, c.Was.NextHop, c.Reason)
	}
	return fmt.Sprintf("%s %s: %s", c.Verb, c.Route, c.Reason)
}

// Held is a change that was decided but is not allowed now.
type Held struct {
	Change Change `json:"change"`
	Reason Reason `json:"reason"`           // why it is held
	Detail string `json:"detail,omitempty"` // the numbers or names behind the reason
}

func (h Held) String() string {
	line := fmt.Sprintf("held %s %s: %s", h.Change.Verb, h.Change.Route, h.Reason)
	if h.Detail != "" {
		line += " (" + h.Detail + ")"
	}
	return line
}

// Conflict is a claim that is refused: it overlaps another, or may not be routed at all.
type Conflict struct {
	Destination netip.Prefix `json:"destination"`
	Host        InstanceID   `json:"host"` // whose claim is refused
	HostName    string       `json:"hostName,omitempty"`
	Reason      Reason       `json:"reason"`
	With        netip.Prefix `json:"with,omitzero"`    // what it overlaps, if it overlaps something
	Holder      string       `json:"holder,omitempty"` // who holds that: a host's label, a vSwitch id
}

func (c Conflict) String() string {
	line := fmt.Sprintf("refused %s of %s: %s", c.Destination, label(c.Host, c.HostName), c.Reason)
	switch {
	case c.With.IsValid() && c.Holder != "":
		line += fmt.Sprintf(" (%s is held by %s)", c.With, c.Holder)
	case c.With.IsValid():
		line += fmt.Sprintf(" (%s)", c.With)
	}
	return line
}

// Plan is the whole decision of one pass.
type Plan struct {
	Changes   []Change   `json:"changes"`
	Held      []Held     `json:"held"`
	Conflicts []Conflict `json:"conflicts"`
}

// IsEmpty reports whether the plan has nothing to do, hold or refuse.
func (p Plan) IsEmpty() bool {
	return len(p.Changes) == 0 && len(p.Held) == 0 && len(p.Conflicts) == 0
}

// String prints one line for each route: changes in the order they are made, then what
// is held, then what is refused. CLI, page, dry run, log and tests all show this text.
func (p Plan) String() string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintln(&b, c)
	}
	for _, h := range p.Held {
		fmt.Fprintln(&b, h)
	}
	for _, c := range p.Conflicts {
		fmt.Fprintln(&b, c)
	}
	return b.String()
}

// DeletesID names the set of deletes this plan wants, held or not, so that an operator
// confirms exactly these and no others. It is empty when the plan deletes nothing.
func (p Plan) DeletesID() string {
	var lines []string
	for _, c := range p.Changes {
		if c.Verb == Delete {
			lines = append(lines, c.String())
		}
	}
	for _, h := range p.Held {
		if h.Change.Verb == Delete && h.Reason == ReasonDeleteBudget {
			lines = append(lines, h.Change.String())
		}
	}
	if len(lines) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}
