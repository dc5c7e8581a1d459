package firewall

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// markUse is which bits of a packet's mark a table looks at or sets.
type markUse struct {
	family, table string
	bits          uint32
}

// UsedMarks are the bits of a packet's mark that rules of any table look at or set, but for
// tables of nftables of the names given, which are one's own.
func (r *Ruleset) UsedMarks(except ...string) uint32 {
	var used uint32
	for _, m := range r.marks {
		if m.family == "" || !slices.Contains(except, m.table) {
			used |= m.bits
		}
	}
	return used
}

// markUses are the bits in what iptables prints: options like --set-xmark 0x4000/0xf000. A
// value of all bits is a mask that leaves none out, and says nothing.
func (s Save) markUses() []markUse {
	if !strings.Contains(s.text, "mark") && !strings.Contains(s.text, "mask") {
		return nil
	}
	var used uint32
	option := regexp.MustCompile(`--\S*(?:mark|mask) (0x[0-9a-f]+)(?:/(0x[0-9a-f]+))?`)
	for _, m := range option.FindAllStringSubmatch(s.text, -1) {
		mark, _ := strconv.ParseUint(m[1], 0, 32)
		mask, _ := strconv.ParseUint(m[2], 0, 32) // 0 if there is none
		if mark != uint64(^uint32(0)) {
			used |= MarkBits(uint32(mark), uint32(mask))
		}
	}
	return []markUse{{bits: used}}
}

// MarkBits are the bits that a mark with a mask is about. A mask of all bits is what those
// give who do not care; then the mark's own bits count.
func MarkBits(mark, mask uint32) uint32 {
	if mask == ^uint32(0) || mask == 0 {
		return mark
	}
	return mask
}

// exprMarks are the bits of one rule of nftables: those compared, and those that are not as
// before when a mark is set.
func exprMarks(exprs []any) uint32 {
	var used uint32
	for _, e := range exprs {
		o := object(e)
		if m := object(o["match"]); m != nil {
			used |= comparedMarks(m)
		}
		if m := object(o["mangle"]); m != nil && isMark(m["key"]) {
			used |= changedMarks(m["value"])
		}
		if v := object(o["vmap"]); v != nil && isMark(v["key"]) {
			used |= valueMarks(object(v["data"])["set"])
		}
	}
	return used
}

func isMark(e any) bool { return object(object(e)["meta"])["key"] == "mark" }

func comparedMarks(m map[string]any) uint32 {
	left := m["left"]
	if operands, ok := object(left)["&"].([]any); ok && len(operands) == 2 && isMark(operands[0]) {
		mask, _ := operands[1].(float64)
		return MarkBits(valueMarks(m["right"]), uint32(mask))
	}
	if !isMark(left) {
		return 0
	}
	return valueMarks(m["right"])
}

// valueMarks are the bits of all numbers in a value.
func valueMarks(v any) uint32 {
	var used uint32
	switch v := v.(type) {
	case float64:
		return uint32(v)
	case []any:
		for _, e := range v {
			used |= valueMarks(e)
		}
	case map[string]any:
		for _, e := range v {
			used |= valueMarks(e)
		}
	}
	return used
}

// changedMarks are the bits that are not as before. Who sets all of them is taken to mean
// those that are not zero.
func changedMarks(value any) uint32 {
	f, ok := markValue(value)
	if !ok {
		return valueMarks(value)
	}
	zeros, ones := f(&walk{}), f(&walk{traveler: traveler{mark: ^uint32(0)}})
	kept := ^zeros & ones
	if zeros == ones {
		return zeros
	}
	return ^kept
}
