package iptables

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// Detected is what can be told about who keeps rules where.
type Detected struct {
	Variant  host.Variant // what to write with
	Standard host.Variant // what the plain command writes
	Docker   bool         // Docker's chains are there
	Bypassed bool         // FORWARD leads to none of these chains
	Shielded bool         // Docker drops what is not published, whatever the policy of FORWARD
	Native   *host.Native // Docker's own table
	Blocked  host.Variant // the other one than variant, if its FORWARD drops by policy
	Others   []string
	tables   map[host.Variant]*tables // what each variant has; nil for one that is not in use
}

// Tell adds what was detected to the facts.
func (d Detected) Tell(f *host.Facts) {
	f.Docker, f.Native, f.Bypassed, f.Shielded, f.Others = d.Docker, d.Native, d.Bypassed, d.Shielded, d.Others
	f.Variant, f.Default, f.Blocked = d.Variant, d.Standard, d.Blocked
	if d.tables == nil {
		return
	}
	f.Open = d.tables[d.Variant].Policy("filter", "FORWARD") != "DROP"
	f.UserDrops = d.tables[d.Variant].ForeignDrops(DockerUser, ChainFwd)
}

// Detect finds the variant that Docker writes with, since a rule in the other one has no
// say. Docker's own chain decides; where there is none yet, what the command "iptables"
// writes, as that is what Docker will call. The legacy command is asked only when legacy
// tables exist, because its mere listing creates them.
func (p *Part) Detect(ctx context.Context) (Detected, error) {
	standard, err := p.reader.standardVariant(ctx)
	if err != nil {
		return Detected{}, err
	}
	d := Detected{Variant: cmp.Or(standard, host.NFT), Standard: standard, tables: map[host.Variant]*tables{}}
	for _, v := range []host.Variant{host.NFT, host.Legacy} {
		if d.tables[v], err = p.reader.currentTables(ctx, host.IPv4, v); err != nil {
			return Detected{}, err
		}
	}
	if d.Native, err = p.around.Native(ctx); err != nil {
		return Detected{}, err
	}
	// Not DOCKER-USER: we make that one ourselves when we are first.
	inNFT, inLegacy := d.tables[host.NFT].HasChain("filter", "DOCKER"), d.tables[host.Legacy].HasChain("filter", "DOCKER")
	d.Docker = inNFT || inLegacy || d.Native != nil
	switch {
	case inNFT && !inLegacy:
		d.Variant = host.NFT
	case inLegacy && !inNFT:
		d.Variant = host.Legacy
	}
	d.Blocked = blocked(d)
	mine := d.tables[d.Variant]
	d.Bypassed = d.Native == nil && d.Docker && !slices.ContainsFunc(mine.ChainRules("filter", "FORWARD"), leadsToDocker)
	d.Shielded = d.Native != nil || mine.DropsUnpublished()
	if d.Others, err = p.others(mine); err != nil {
		return Detected{}, err
	}
	return d, nil
}

// leadsToDocker reports whether a rule leads to a chain of Docker's. DOCKER-USER is the
// operator's, and the jump to it may be ours.
func leadsToDocker(rule string) bool {
	_, target, _ := strings.Cut(rule, " -j ")
	return strings.HasPrefix(target, "DOCKER") && target != DockerUser
}

// blocked is a variant whose policy of FORWARD drops, without a rule of ours in it to lift
// that. While Docker uses its own nft table, that can be either.
func blocked(d Detected) host.Variant {
	for _, v := range []host.Variant{host.NFT, host.Legacy} {
		if v != d.Variant && d.tables[v].Policy("filter", "FORWARD") == "DROP" {
			return v
		}
	}
	return ""
}

// others names the programs that are known to keep rules of their own beside Docker's.
func (p *Part) others(fw *tables) ([]string, error) {
	firewalld, err := p.around.NFT.Named("firewalld")
	if err != nil {
		return nil, err
	}
	found := fw.Keepers()
	if firewalld && !slices.Contains(found, "firewalld") {
		found = append([]string{"firewalld"}, found...)
	}
	return found, nil
}
