package iptables

import "github.com/sealane/sealane/agent/host"

// memory is what is remembered of rules.
type memory struct {
	Variant host.Variant `json:"variant,omitempty"` // the variant our rules were written with
	Chains  []string     `json:"chains,omitzero"`   // tables and chains that were there before ours, of IPv4
	Chains6 []string     `json:"chains6,omitzero"`  // the same of IPv6
}

// former points to what is remembered of a family's chains; nil there while its rules were
// not touched.
func (m *memory) former(f host.Family) *[]string { return host.ByFamily(f, &m.Chains, &m.Chains6) }

func (m memory) chains(f host.Family) []string { return *m.former(f) }

func (m memory) has(f host.Family) bool { return m.chains(f) != nil }
