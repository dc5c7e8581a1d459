package alisim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request, read from wherever its parameters were.
type call struct {
	method  string // GET or POST
	action  string
	version string
	key     string            // access key id
	acs3    bool              // signed in the Authorization header
	params  map[string]string // of query and form together
	now     time.Time
	began   time.Time
	agent   string
	token   string // security token of a request signed in the header
	host    string
	secured bool  // it came over TLS
	fault   Fault // that struck; zero: none

	pageTime    time.Duration // how long a NextToken of this answer holds
	tokenMemory time.Duration // how long the ClientToken is remembered
	rehearsed   bool          // done on a copy of the world
	who         principal
	formItems   bool // the items of a batch were in the form body
}

func (c *call) get(name string) string { return c.params[name] }

// changed is a parameter, or the old value where there is no such parameter. One that is
// there and empty empties: so Terraform takes a description away, in a form.
func (c *call) changed(name, old string) string {
	if value, given := c.params[name]; given {
		return value
	}
	return old
}

// dryRun reports whether the request is only to be checked. Two changes have no dry run in
// the API and are made.
func (c *call) dryRun() bool {
	return strings.EqualFold(c.params["DryRun"], "true") && !reads(c.action) &&
		c.action != "ModifyNetworkInterfaceAttribute" && c.action != "AssociateRouteTable"
}

// matches reports whether a filter is absent or has this value.
func (c *call) matches(name, value string) bool {
	want := c.params[name]
	return want == "" || strings.EqualFold(want, value)
}

// number reads a parameter from 1 to a limit; absent is the fallback.
func (c *call) number(name string, fallback, high int) (int, error) {
	text := c.params[name]
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > high {
		return 0, illegal(name)
	}
	return n, nil
}

// clamped is number for the actions that pull a value into the range instead of refusing.
func (c *call) clamped(name string, fallback, low, high int) (int, error) {
	text := c.params[name]
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, illegal(name)
	}
	return min(max(n, low), high), nil
}

// list reads the scalars Name.1, Name.2, ... in order of their numbers.
func (c *call) list(name string) []string {
	var out []string
	for _, i := range c.indexes(name, false) {
		out = append(out, c.params[name+"."+strconv.Itoa(i)])
	}
	return out
}

// items reads the objects Name.1.Field, Name.2.Field, ... in order of their numbers.
func (c *call) items(name string) []item {
	var out []item
	for _, i := range c.indexes(name, true) {
		out = append(out, item{c, name + "." + strconv.Itoa(i) + "."})
	}
	return out
}

// item is one object of a list of objects.
type item struct {
	call   *call
	prefix string
}

func (i item) get(field string) string { return i.call.params[i.prefix+field] }

// indexes are the numbers, 1 and up, that occur after a name; of objects when a field
// follows, else of scalars.
func (c *call) indexes(name string, objects bool) []int {
	var out []int
	for key := range c.params {
		rest, ok := strings.CutPrefix(key, name+".")
		if !ok {
			continue
		}
		number, _, field := strings.Cut(rest, ".")
		i, err := strconv.Atoi(number)
		if err == nil && i > 0 && field == objects && strconv.Itoa(i) == number {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, cmp.Compare[int])
	return slices.Compact(out)
}

// array reads the parameters that are one string holding a JSON array of at most 100.
func (c *call) array(name string) ([]string, error) {
	text := c.get(name)
	if text == "" {
		return nil, nil
	}
	out := []string{}
	if err := json.Unmarshal([]byte(text), &out); err != nil || out == nil || len(out) > 100 {
		r := refuse("InvalidParameter")
		r.message = "The specified " + name + " is not a JSON array of at most 100."
		return nil, r
	}
	return out, nil
}

// listed reports whether a filter is absent or has the value in it.
func listed(filter []string, value string) bool {
	return filter == nil || slices.Contains(filter, value)
}
