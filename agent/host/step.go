package host

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// Outcome is what became of a wish. Each part is tried even when another fails.
type Outcome struct {
	Repairs  []Repair
	Failures map[Part]error // why a part is not as wished
}

// Err joins the errors of all parts; nil when the wish is fulfilled.
func (o Outcome) Err() error {
	var all []error
	for _, p := range slices.Sorted(maps.Keys(o.Failures)) {
		all = append(all, o.Failures[p])
	}
	return errors.Join(all...)
}

// Repair is one thing that had to be changed.
type Repair struct {
	Kind Kind
	What string // for people: which chain, set, value
	Part Part   // what it is a part of
}

func (r Repair) String() string { return string(r.Kind) + " " + r.What }

// Kind names what was repaired; the label of the repair counter.
type Kind string

// The kinds of repair.
const (
	KindForwarding Kind = "forwarding" // a forwarding sysctl
	KindSetting    Kind = "setting"    // another sysctl
	KindFile       Kind = "file"       // the file in sysctl.d, or daemon.json
	KindSet        Kind = "set"        // a set made or its members changed
	KindChain      Kind = "chain"      // a chain of ours refilled
	KindJump       Kind = "jump"       // a jump to a chain of ours put (back) into its place
	KindSource     Kind = "source"     // the table that keeps source addresses replaced or removed
	KindMark       Kind = "mark"       // the table that marks for Docker replaced or removed
	KindRedirect   Kind = "redirect"   // the redirect on the uplink made, changed or removed
	KindEngine     Kind = "engine"     // dockerd restarted
)

// Step is one change of the host, made at one moment or not at all.
type Step struct {
	Repairs []Repair // what it is for
	Command string   // what one could type in a shell instead; it may have several lines

	Do func(context.Context) error // makes the change
}

// NewStep is the usual step, which repairs one thing.
func NewStep(kind Kind, what, command string, do func(context.Context) error) Step {
	return Step{Repairs: []Repair{{Kind: kind, What: what}}, Command: command, Do: do}
}

// CollectSteps asks one after the other for its steps, also when one of them fails.
func CollectSteps[T any](all []T, ask func(T) ([]Step, error)) ([]Step, error) {
	var steps []Step
	var failures []error
	for _, one := range all {
		more, err := ask(one)
		steps, failures = append(steps, more...), append(failures, err)
	}
	return steps, errors.Join(failures...)
}
