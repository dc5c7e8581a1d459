package ram

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// condition is one operator on one key. Several values are alternatives.
type condition struct {
	operator string
	key      string
	values   []string
}

// operator says how a value of a request compares with one of a document.
type operator struct {
	not  bool // holds if no value of the document compares
	same func(want, have string) bool
	ok   func(want string) bool // whether a document may have this value; nil: any
}

func operators() map[string]operator {
	like := func(want, have string) bool { return matchGlob(want, have, "*?") }
	equal := func(want, have string) bool { return want == have }
	return map[string]operator{
		"StringEquals":              {same: equal},
		"StringNotEquals":           {not: true, same: equal},
		"StringEqualsIgnoreCase":    {same: strings.EqualFold},
		"StringNotEqualsIgnoreCase": {not: true, same: strings.EqualFold},
		"StringLike":                {same: like},
		"StringNotLike":             {not: true, same: like},
		"Bool":                      {same: strings.EqualFold, ok: isBool},
		"IpAddress":                 {same: networkHolds, ok: isNet},
		"NotIpAddress":              {not: true, same: networkHolds, ok: isNet},
	}
}

func newCondition(name, key string, values []string) (condition, error) {
	op, known := operators()[name]
	switch {
	case !known:
		return condition{}, fmt.Errorf("operator %q is not known here: %w", name, api.ErrInvalid)
	case !strings.Contains(key, ":"):
		return condition{}, fmt.Errorf("%s of %q: a key is of the form service:Key: %w", name, key, api.ErrInvalid)
	case name == "Bool" && len(values) > 1:
		return condition{}, fmt.Errorf("operator Bool of %s takes one value: %w", key, api.ErrInvalid)
	}
	for _, v := range values {
		if op.ok != nil && !op.ok(v) {
			return condition{}, fmt.Errorf("%s of %s: %q is no value for this operator: %w", name, key, v, api.ErrInvalid)
		}
	}
	return condition{name, key, values}, nil
}

// holds tells whether a request meets the condition. A key that the request lacks meets
// none, but a negation in a statement that denies: either way less is permitted.
func (c condition) holds(keys map[string]string, deny bool) bool {
	op := operators()[c.operator]
	have, ok := keys[c.key]
	if !ok {
		return op.not && deny
	}
	found := slices.ContainsFunc(c.values, func(want string) bool { return op.same(want, have) })
	return found != op.not
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func isNet(s string) bool { _, err := parseNet(s); return err == nil }

// networkHolds reports whether an address or a range lies in a range.
func networkHolds(want, have string) bool {
	outer, err1 := parseNet(want)
	inner, err2 := parseNet(have)
	return err1 == nil && err2 == nil && outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func parseNet(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
