package call

import (
	"cmp"
	"slices"
	"strings"
)

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
