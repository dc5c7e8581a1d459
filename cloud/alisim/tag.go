package alisim

import (
	"maps"
	"slices"
	"strings"
)

// tagList is how answers hold tags. Both products have the list, and each its own words in it.
type tagList[T any] struct {
	Tag []T `json:"Tag"`
}

type vpcTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type ecsTag struct {
	TagKey   string `json:"TagKey"`
	TagValue string `json:"TagValue"`
}

func vpcTags(tags map[string]string) tagList[vpcTag] {
	return tagList[vpcTag]{mapped(slices.Sorted(maps.Keys(tags)), func(k string) vpcTag { return vpcTag{k, tags[k]} })}
}

func ecsTags(tags map[string]string) tagList[ecsTag] {
	return tagList[ecsTag]{mapped(slices.Sorted(maps.Keys(tags)), func(k string) ecsTag { return ecsTag{k, tags[k]} })}
}

// tagged reports whether something has all tags that are asked for: with their value, where
// one is given.
func (c *call) tagged(tags map[string]string) bool {
	for _, want := range c.items("Tag") {
		key, value := first(want.get("Key"), want.get("key")), first(want.get("Value"), want.get("value"))
		if has, ok := tags[key]; !ok || value != "" && value != has {
			return false
		}
	}
	return c.get("Tag") == "" && c.get("Tags") == "" // a form that no client is known to use
}

// blank reports whether none of these filters is there. They are about what nothing has
// here, so nothing has the value that is asked for.
func (c *call) blank(names ...string) bool {
	for given, value := range c.params {
		head, _, _ := strings.Cut(given, ".")
		if value != "" && slices.Contains(names, head) {
			return false
		}
	}
	return true
}
