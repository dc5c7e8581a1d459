// Package plan decides and touches nothing. [Desired] turns the hosts' reports into the
// routes that should be there; [Diff] compares them with the routes that are there and
// says what to change, what to hold back, and why. Both are pure: the same inputs, in
// any order, give the same answer.
//
// The caller passes what it read, complete or not, and joins the two halves:
//
//	want, conflicts := plan.Desired(hosts, have, rules)
//	p := plan.Diff(want, have, guard)
//	p.Conflicts = conflicts
//
// The laws that hold for every input are in laws_test.go, one test each.
package plan
