package seed

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
)

// mistake is something wrong in a seed, at a path like "instances[2].vswitch".
type mistake struct {
	path string
	text string
}

func (m mistake) Error() string { return m.path + ": " + m.text }

// asError is the mistakes so far as one error of kind api.ErrInvalid, or nil.
func (c *checker) asError(what string) error {
	if len(c.mistakes) == 0 {
		return nil
	}
	bad := make([]error, len(c.mistakes))
	for i, m := range c.mistakes {
		bad[i] = m
	}
	return fmt.Errorf("%s: %w: %w", what, api.ErrInvalid, errors.Join(bad...))
}

// checker collects what a seed names, and its mistakes.
type checker struct {
	mistakes  []mistake
	ids       map[string]string // every id, to the path of its first use
	tables    map[string]string // table to VPC
	vswitches map[string]VSwitch
	home      map[string]string // vSwitch to VPC
	groups    map[string]string // security group to VPC

	enterprise map[string]bool // of the security groups
	rules      int             // ids given to rules
}

func newChecker() *checker {
	return &checker{
		ids: map[string]string{}, tables: map[string]string{}, vswitches: map[string]VSwitch{}, home: map[string]string{},
		groups: map[string]string{}, enterprise: map[string]bool{},
	}
}

func (c *checker) mistake(path, format string, args ...any) {
	c.mistakes = append(c.mistakes, mistake{path, fmt.Sprintf(format, args...)})
}

// checkID demands that an id is there and new.
func (c *checker) checkID(path, id string) {
	switch before, used := c.ids[id]; {
	case id == "":
		c.mistake(path, "is missing")
	case strings.ContainsAny(id, " ,\t\n"):
		c.mistake(path, "%q holds a space or a comma", id)
	case used:
		c.mistake(path, "%q is used before, at %s", id, before)
	default:
		c.ids[id] = path
	}
}

// checkIPv4 demands an IPv4 network without host bits.
func (c *checker) checkIPv4(path string, p netip.Prefix) bool {
	if p.IsValid() && !p.Addr().Is4() {
		c.mistake(path, "%s is not IPv4", p)
		return false
	}
	return c.checkNetwork(path, p)
}

// checkIPv6 demands an IPv6 network, or none.
func (c *checker) checkIPv6(path string, p netip.Prefix) {
	switch {
	case !p.IsValid():
	case p.Addr().Is4():
		c.mistake(path, "%s is not IPv6", p)
	default:
		c.checkNetwork(path, p)
	}
}

// checkNetwork demands a network of either family without host bits.
func (c *checker) checkNetwork(path string, p netip.Prefix) bool {
	switch {
	case !p.IsValid():
		c.mistake(path, "is missing")
	case p.Addr().Is4In6():
		c.mistake(path, "%s is IPv4 written as IPv6", p)
	case p != p.Masked():
		c.mistake(path, "%s has host bits set: write %s", p, p.Masked())
	default:
		return true
	}
	return false
}
