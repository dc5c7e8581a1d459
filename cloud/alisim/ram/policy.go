// Package ram decides what a RAM policy document permits, as Alibaba Cloud's resource
// access management does, so that a simulator can refuse what the cloud would refuse and a
// test can hold a policy to what a program really calls.
//
// A request is permitted if a statement allows it and none denies it. Where the
// documentation leaves a choice, the stricter reading holds; what this package does not
// know makes a document invalid, and is never passed over.
package ram

import (
	"fmt"
	"slices"
)

// Policy is one or more policy documents. The zero Policy permits nothing.
type Policy struct {
	statements []statement
}

// Request is one permission that a call needs. All requests of a call must be permitted.
type Request struct {
	Action   string            // service:action, for example vpc:CreateRouteEntry, in any case
	Resource string            // acs:vpc:{region}:{account}:routetable/{id}, or * for actions that know no narrower one
	Keys     map[string]string // condition keys and their values, as far as the request has them
}

// Join is the policies attached together, as to one role.
func Join(policies ...Policy) Policy {
	var all Policy
	for _, p := range policies {
		all.statements = append(all.statements, p.statements...)
	}
	return all
}

// Allows reports whether the policy permits the request, and which statement, counted from
// 1, decided.
func (p Policy) Allows(r Request) (allowed bool, why string) {
	allowing := 0
	for n, s := range p.statements {
		switch {
		case !s.applies(r):
		case s.deny:
			return false, fmt.Sprintf("statement %d denies %s on %s", n+1, r.Action, r.Resource)
		case allowing == 0:
			allowing = n + 1
		}
	}
	if allowing == 0 {
		return false, fmt.Sprintf("no statement allows %s on %s", r.Action, r.Resource)
	}
	return true, fmt.Sprintf("statement %d allows %s on %s", allowing, r.Action, r.Resource)
}

// statement is one element of a document's Statement list.
type statement struct {
	deny       bool
	actions    []string // in lower case
	except     bool     // the statement is about all actions but these: NotAction
	resources  []resource
	conditions []condition
}

func (s statement) applies(r Request) bool {
	return s.namesAction(r.Action) &&
		slices.ContainsFunc(s.resources, func(pattern resource) bool { return pattern.matches(r.Resource) }) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(r.Keys, s.deny) })
}
