// Package call is the wire of the simulated OpenAPI: it reads a request with its parameters,
// knows who calls and whether he may, pages lists, and writes answers and refusals. It also
// keeps the log of requests, and answers the two actions that are about calling itself.
package call

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/ram"
	"github.com/sealane/sealane/cloud/alisim/world"
)

// Call is one request, read from wherever its parameters were.
type Call struct {
	method  string // GET or POST
	Action  string
	Version string
	key     string            // access key id
	acs3    bool              // signed in the Authorization header
	Params  map[string]string // of query and form together
	Now     time.Time
	began   time.Time
	agent   string
	token   string // security token of a request signed in the header
	host    string
	secured bool        // it came over TLS
	Fault   fault.Fault // that struck; zero: none

	PageTime    time.Duration // how long a NextToken of this answer holds
	TokenMemory time.Duration // how long the ClientToken is remembered
	Rehearsed   bool          // done on a copy of the world
	who         principal
	FormItems   bool // the items of a batch were in the form body
}

// Param is a parameter, or "".
func (c *Call) Param(name string) string { return c.Params[name] }

// Updated is a parameter, or the old value where there is no such parameter. One that is
// there and empty empties: so Terraform takes a description away, in a form.
func (c *Call) Updated(name, old string) string {
	if value, given := c.Params[name]; given {
		return value
	}
	return old
}

// IsDryRun reports whether the request is only to be checked. Two changes have no dry run in
// the API and are made.
func (c *Call) IsDryRun() bool {
	return strings.EqualFold(c.Params["DryRun"], "true") && !IsRead(c.Action) &&
		c.Action != "ModifyNetworkInterfaceAttribute" && c.Action != "AssociateRouteTable"
}

// Matches reports whether a filter is absent or has this value.
func (c *Call) Matches(name, value string) bool {
	want := c.Params[name]
	return want == "" || strings.EqualFold(want, value)
}

// Number reads a parameter from 1 to a limit; absent is the fallback.
func (c *Call) Number(name string, fallback, high int) (int, error) {
	text := c.Params[name]
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > high {
		return 0, world.IllegalParameter(name)
	}
	return n, nil
}

// Clamped is number for the actions that pull a value into the range instead of refusing.
func (c *Call) Clamped(name string, fallback, low, high int) (int, error) {
	text := c.Params[name]
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, world.IllegalParameter(name)
	}
	return min(max(n, low), high), nil
}

// Scalars reads the scalars Name.1, Name.2, ... in order of their numbers.
func (c *Call) Scalars(name string) []string {
	var out []string
	for _, i := range c.indexes(name, false) {
		out = append(out, c.Params[name+"."+strconv.Itoa(i)])
	}
	return out
}

// Items reads the objects Name.1.Field, Name.2.Field, ... in order of their numbers.
func (c *Call) Items(name string) []Item {
	var out []Item
	for _, i := range c.indexes(name, true) {
		out = append(out, Item{c, name + "." + strconv.Itoa(i) + "."})
	}
	return out
}

// Item is one object of a list of objects.
type Item struct {
	Call   *Call
	Prefix string
}

// Param is a field of the object, or "".
func (i Item) Param(field string) string { return i.Call.Params[i.Prefix+field] }

// indexes are the numbers, 1 and up, that occur after a name; of objects when a field
// follows, else of scalars.
func (c *Call) indexes(name string, objects bool) []int {
	var out []int
	for key := range c.Params {
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

// Array reads the parameters that are one string holding a JSON array of at most 100.
func (c *Call) Array(name string) ([]string, error) {
	text := c.Param(name)
	if text == "" {
		return nil, nil
	}
	out := []string{}
	if err := json.Unmarshal([]byte(text), &out); err != nil || out == nil || len(out) > 100 {
		r := world.NewRefusal("InvalidParameter")
		r.Message = "The specified " + name + " is not a JSON array of at most 100."
		return nil, r
	}
	return out, nil
}

// Listed reports whether a filter is absent or has the value in it.
func Listed(filter []string, value string) bool {
	return filter == nil || slices.Contains(filter, value)
}

// principal is who calls.
type principal struct {
	kind   string // Account, SubUser or AssumedRoleUser, as AccessDeniedDetail names them
	name   string
	policy *ram.Policy // nil permits everything
}

// TagList is how answers hold tags. Both products have the list, and each its own words in it.
type TagList[T any] struct {
	Tag []T `json:"Tag"`
}

// HasTags reports whether something has all tags that are asked for: with their value, where
// one is given.
func (c *Call) HasTags(tags map[string]string) bool {
	for _, want := range c.Items("Tag") {
		key, value := cmp.Or(want.Param("Key"), want.Param("key")), cmp.Or(want.Param("Value"), want.Param("value"))
		if has, ok := tags[key]; !ok || value != "" && value != has {
			return false
		}
	}
	return c.Param("Tag") == "" && c.Param("Tags") == "" // a form that no client is known to use
}

// AreBlank reports whether none of these filters is there. They are about what nothing has
// here, so nothing has the value that is asked for.
func (c *Call) AreBlank(names ...string) bool {
	for given, value := range c.Params {
		head, _, _ := strings.Cut(given, ".")
		if value != "" && slices.Contains(names, head) {
			return false
		}
	}
	return true
}
