package iptables

import (
	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
)

// tables are those of one variant and family, as iptables-save prints them.
type tables struct {
	firewall.Save
	family  host.Family
	variant host.Variant
	path    string // of the command that writes it
	text    string // as printed
}

func newTables(f host.Family, v host.Variant, path, text string) *tables {
	return &tables{Save: firewall.ReadSave(text), family: f, variant: v, path: path, text: text}
}
