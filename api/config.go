package api

import (
	"fmt"
	"net/netip"
	"slices"
)

// Policy bounds what the controller may do to the route tables.
type Policy string

// The policies, from the most careful on.
const (
	PolicyObserve    Policy = "observe"     // plans only
	PolicyCreateOnly Policy = "create-only" // creates, never replaces or deletes
	PolicyNoDelete   Policy = "no-delete"   // creates and replaces
	PolicyFull       Policy = "full"        // everything
)

// Allows reports whether the policy lets this verb through.
func (p Policy) Allows(v Verb) bool {
	switch p {
	case PolicyFull:
		return true
	case PolicyNoDelete:
		return v != Delete
	case PolicyCreateOnly:
		return v == Create
	default:
		return false
	}
}

// Config is the cluster's configuration: record config, written by operators.
type Config struct {
	Pools      []netip.Prefix `json:"pools"` // ranges subnets may come from; the controller writes inside them only
	Policy     Policy         `json:"policy"`
	Guard      GuardConfig    `json:"guard"`
	SourceMode SourceMode     `json:"sourceMode"`
	Manage     []Manage       `json:"manage,omitempty"`    // what else of the cloud the controller may change; empty: nothing
	Confirmed  string         `json:"confirmed,omitempty"` // Plan.DeletesID of deletes that an operator confirmed
	Adopt      []Adoption     `json:"adopt,omitempty"`     // foreign routes that an operator gave to sealane
	Accepted   int64          `json:"accepted,omitempty"`  // mark generation up to which an operator accepted that the registry was replaced
}

// Manage names something beside route tables that holds container traffic back and that the
// controller may open. Nothing is managed unless an operator said so.
type Manage string

// What can be managed.
const (
	ManageSourceCheck   Manage = "source-dest-check" // switch the check off on the hosts' interfaces
	ManageSecurityGroup Manage = "security-group"    // add rules that admit the pools to the hosts' groups
)

// Manages reports whether the controller may change this.
func (c Config) Manages(m Manage) bool { return slices.Contains(c.Manage, m) }

// Adoption is an operator's word that a foreign route may become ours: this route, as it
// was when the operator saw it, and no other that comes in its place.
type Adoption struct {
	Table       TableID      `json:"table"`
	Destination netip.Prefix `json:"destination"`
	NextHop     string       `json:"nextHop"`
	ID          string       `json:"id"` // the cloud's id of the route
}

// Covers reports whether the word was given for this route.
func (a Adoption) Covers(r Route) bool {
	return a.ID != "" && a.ID == r.ID && a.NextHop == r.NextHop && RouteKey{a.Table, a.Destination} == r.Key()
}

// GuardConfig is the delete budget of one pass: the larger of a number and a share of our routes.
type GuardConfig struct {
	MaxDeletes     int     `json:"maxDeletes"`     // routes
	MaxDeleteShare float64 `json:"maxDeleteShare"` // of the routes we own, 0 to 1
}

// SourceMode says which source address containers show each other across hosts.
type SourceMode string

// Source modes.
const (
	SourceKeep       SourceMode = "keep"       // the container's own, wherever both ends are ready for it
	SourceMasquerade SourceMode = "masquerade" // the host's, as Docker does it
)

// DefaultConfig is a working configuration without pools. The policy is the careful one:
// a new installation shows its plans before it writes.
func DefaultConfig() Config {
	return Config{
		Policy:     PolicyObserve,
		Guard:      GuardConfig{MaxDeletes: 5, MaxDeleteShare: 0.10},
		SourceMode: SourceKeep,
	}
}

// Validate returns the first problem, naming the field and what it may be.
func (c Config) Validate() error {
	if len(c.Pools) == 0 {
		return fmt.Errorf("pools: none given; name the range that host bips come from, for example 10.0.0.0/8: %w", ErrInvalid)
	}
	for _, p := range c.Pools {
		switch {
		case !p.IsValid() || p.Addr().Is4In6():
			return fmt.Errorf("pools: %q is not a prefix: %w", p, ErrInvalid)
		case p != p.Masked():
			return fmt.Errorf("pools: %s has host bits set; did you mean %s: %w", p, p.Masked(), ErrInvalid)
		}
	}
	switch c.Policy {
	case PolicyObserve, PolicyCreateOnly, PolicyNoDelete, PolicyFull:
	default:
		return fmt.Errorf("policy: %q is none of observe, create-only, no-delete, full: %w", c.Policy, ErrInvalid)
	}
	switch c.SourceMode {
	case SourceKeep, SourceMasquerade:
	default:
		return fmt.Errorf("sourceMode: %q is none of keep, masquerade: %w", c.SourceMode, ErrInvalid)
	}
	for _, m := range c.Manage {
		if m != ManageSourceCheck && m != ManageSecurityGroup {
			return fmt.Errorf("manage: %q is none of %s, %s: %w", m, ManageSourceCheck, ManageSecurityGroup, ErrInvalid)
		}
	}
	if c.Guard.MaxDeletes < 0 || c.Guard.MaxDeleteShare < 0 || c.Guard.MaxDeleteShare > 1 {
		return fmt.Errorf("guard: maxDeletes must be 0 or more and maxDeleteShare between 0 and 1: %w", ErrInvalid)
	}
	return nil
}
