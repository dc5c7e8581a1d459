package machine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// chainMemory is what is remembered of rules.
type chainMemory struct {
	Variant host.Variant `json:"variant,omitempty"` // the variant our rules were written with
	Chains  *[]string    `json:"chains,omitempty"`  // tables and chains that were there before ours, of IPv4
	Chains6 *[]string    `json:"chains6,omitempty"` // the same of IPv6
}

// former points to what is remembered of a family's chains; nil there while its rules were
// not touched.
func (m *chainMemory) former(f host.Family) **[]string {
	if f == host.IPv6 {
		return &m.Chains6
	}
	return &m.Chains
}

func (m chainMemory) has(f host.Family) bool { return *m.former(f) != nil }

func (m chainMemory) chains(f host.Family) []string {
	if !m.has(f) {
		return nil
	}
	return **m.former(f)
}

func (m *chainMemory) put(f host.Family, chains []string) { *m.former(f) = &chains }

// Our chains. Chain names are part of what operators see and scripts may rely on.
const (
	chainRaw   = "SEALANE-RAW"
	chainFwd   = "SEALANE-FWD"
	dockerUser = "DOCKER-USER"
	mine       = "-m comment --comment sealane"
)

// chainOf is our chain in a table.
func chainOf(table string) string {
	if table == "raw" {
		return chainRaw
	}
	return chainFwd
}

// ourChain are the rules of our chain of a table, in the form iptables prints them. The
// accepts are stateless, so that a flow of which the host sees one direction only is not
// dropped. The icmp rules let path MTU discovery and traceroute work: routers on the way
// answer to container addresses from their own. The uplink is matched so that no local
// container can pose as a remote one.
//
// Strictly, new connections go through Docker's own chain, which accepts what is published,
// and end there.
func ourChain(f host.Family, table, uplink string, strict, docker bool) []string {
	in := "-i " + uplink
	remote := "-m set --match-set " + setName(f, setPeers)
	local := "-m set --match-set " + setName(f, setLocal)
	accept := mine + " -j ACCEPT"
	chain := chainOf(table)
	inward := func(target ...string) string {
		return rule(chain, append([]string{in, remote, "src", local, "dst"}, target...)...)
	}
	if table == "raw" {
		rules := []string{inward(accept)}
		for _, icmp := range icmpMatches(f) {
			rules = append(rules, rule(chain, in, "-p "+icmp[0], local, "dst "+icmp[1], accept))
		}
		return rules
	}
	outward := rule(chain, "-o "+uplink, local, "src", remote, "dst", accept)
	if !strict {
		return []string{inward(accept), outward}
	}
	rules := []string{inward("-m conntrack --ctstate RELATED,ESTABLISHED", accept)}
	if docker {
		rules = append(rules, inward(mine, "-j DOCKER"))
	}
	return append(rules, inward(mine, "-j DROP"), outward)
}

// icmp are the matches of what routers tell a sender: that a packet was too big, or took
// too many hops.
func icmpMatches(f host.Family) [][2]string {
	if f == host.IPv6 {
		return [][2]string{{"ipv6-icmp", "-m icmp6 --icmpv6-type 2"}, {"ipv6-icmp", "-m icmp6 --icmpv6-type 3"}}
	}
	return [][2]string{{"icmp", "-m icmp --icmp-type 3/4"}, {"icmp", "-m icmp --icmp-type 11"}}
}

func rule(chain string, parts ...string) string {
	return "-A " + chain + " " + strings.Join(parts, " ")
}

// planRules puts sets, chains and jumps in place. IPv6 has them only where a subnet of ours
// is IPv6, or has been. Where Docker keeps its rules in nftables, iptables has a say only if
// a policy of DROP is left over in it.
func (h *Host) planRules(ctx context.Context, w host.Wish) ([]host.Step, error) {
	if w.Uplink == "" {
		return nil, fmt.Errorf("apply rules: no uplink: %w", api.ErrInvalid)
	}
	d, err := h.detect(ctx)
	if err != nil {
		return nil, err
	}
	var steps []host.Step
	var left []host.Step // what is to go from the other variant, once this one has all
	if h.chains.Value().Variant != "" && h.chains.Value().Variant != d.variant {
		if left, err = h.undoChains(ctx, h.chains.Value().Variant); err != nil {
			return nil, fmt.Errorf("leave iptables variant %s: %w", h.chains.Value().Variant, err)
		}
	}
	for _, f := range host.Families() {
		if f == host.IPv6 && len(f.Of(w.LocalPrefixes())) == 0 && !h.chains.Value().has(f) {
			continue
		}
		fw, err := h.readTables(ctx, f, d.variant)
		if err != nil {
			return steps, err
		}
		if d.native != nil && fw.policies["filter/FORWARD"] != "DROP" && !h.chains.Value().has(f) {
			continue
		}
		if fw.path == "" {
			return steps, fmt.Errorf("find the command %s: %w", toolOf(f), api.ErrNotFound)
		}
		more, err := h.planFamily(fw, w, d.native == nil)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return append(steps, left...), nil
}

// planFamily is what one family needs. anchor tells that DOCKER-USER is made if absent.
func (h *Host) planFamily(fw *firewall, w host.Wish, anchor bool) ([]host.Step, error) {
	steps, err := planSets(fw.family, w)
	if err != nil {
		return nil, err
	}
	if !h.chains.Value().has(fw.family) || h.chains.Value().Variant != fw.variant {
		steps = append(steps, h.rememberChains(fw))
	}
	if anchor {
		steps = append(steps, h.planDockerUser(fw)...)
	}
	for _, table := range []string{"raw", "filter"} {
		steps = append(steps, h.planTable(fw, table, w, anchor)...)
	}
	return steps, nil
}

// rememberChains notes what is there before ours.
func (h *Host) rememberChains(fw *firewall) host.Step {
	there := []string{}
	for name := range fw.chains {
		table, _, _ := strings.Cut(name, "/")
		if (table == "raw" || table == "filter") && !strings.HasSuffix(name, "/"+chainOf(table)) {
			there = append(there, name)
		}
	}
	for _, table := range fw.tables {
		if table == "raw" || table == "filter" {
			there = append(there, table)
		}
	}
	slices.Sort(there)
	return host.Step{Do: func(context.Context) error {
		return h.chains.Remember(func(m *chainMemory) { m.Variant = fw.variant; m.put(fw.family, there) })
	}}
}

// planDockerUser makes chain DOCKER-USER when the agent is there before Docker, which then
// adopts it and calls it first. Without it Docker 28 and later would put its own jumps
// ahead of ours.
func (h *Host) planDockerUser(fw *firewall) []host.Step {
	var steps []host.Step
	if !fw.has("filter", dockerUser) {
		steps = append(steps, host.NewStep(host.KindChain, dockerUser+" made ahead of Docker", fw.path+" -N "+dockerUser, func(context.Context) error {
			ipt, err := fw.iptables()
			if err == nil {
				err = ipt.NewChain("filter", dockerUser)
			}
			return kernel.Wrap("make chain "+dockerUser, err)
		}))
	} else if !h.madeDockerUser(fw) {
		return nil // it is Docker's, and so is the jump to it
	}
	if slices.Contains(fw.chains["filter/FORWARD"], "-A FORWARD -j "+dockerUser) {
		return steps
	}
	return append(steps, host.NewStep(host.KindJump, "FORWARD to "+dockerUser, fw.path+" -I FORWARD 1 -j "+dockerUser, func(context.Context) error {
		ipt, err := fw.iptables()
		if err == nil {
			err = ipt.Insert("filter", "FORWARD", 1, "-j", dockerUser)
		}
		return kernel.Wrap("put the jump to "+dockerUser, err)
	}))
}

// madeDockerUser reports whether DOCKER-USER is there, was made by us and is not in
// Docker's use yet. A Docker that was there without it, as 20.10 is of IPv6, does not use it.
func (h *Host) madeDockerUser(fw *firewall) bool {
	if !fw.has("filter", dockerUser) || h.chains.Value().Variant != fw.variant || !h.chains.Value().has(fw.family) {
		return false
	}
	before := h.chains.Value().chains(fw.family)
	unused := !fw.has("filter", "DOCKER") || slices.Contains(before, "filter/DOCKER")
	return unused && !slices.Contains(before, "filter/"+dockerUser)
}

// planTable fills our chain of a table and puts the jumps to it in their places, all at
// one moment.
func (h *Host) planTable(fw *firewall, table string, w host.Wish, anchor bool) []host.Step {
	chain := chainOf(table)
	// Where Docker has its rules in nftables it decides there what is published.
	want := ourChain(fw.family, table, w.Uplink, w.Strict && anchor, fw.has("filter", "DOCKER"))
	var lines []string
	var repairs []host.Repair
	refill := !fw.has(table, chain) || !h.same(fw.chains[table+"/"+chain], want)
	if refill {
		lines = append(append(lines, ":"+chain+" - [0:0]"), want...)
		repairs = append(repairs, host.Repair{Kind: host.KindChain, What: printPrefix(fw.family) + chain})
	}
	for _, j := range jumps() {
		if j.table != table || j.from == dockerUser && !anchor && !fw.has("filter", dockerUser) {
			continue
		}
		if moves := j.moves(fw.chains[table+"/"+j.from]); len(moves) > 0 {
			lines = append(lines, moves...)
			repairs = append(repairs, host.Repair{Kind: host.KindJump, What: printPrefix(fw.family) + j.from + " to " + j.to})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	steps := []host.Step{fw.commit(table, lines, repairs...)}
	if refill {
		steps = append(steps, host.Step{Do: func(ctx context.Context) error {
			after, err := h.readFirewall(ctx, fw.family, fw.variant)
			if printed := after.of(table, chain); err == nil && alike(printed, want) {
				h.asPrinted[strings.Join(want, "\n")] = printed
			}
			return err
		}})
	}
	return steps
}

// prefix tells IPv6 apart where people read it.
func printPrefix(f host.Family) string {
	if f == host.IPv6 {
		return "ip6tables "
	}
	return ""
}

// alike reports whether rules that were read back are ours, written in another way. Between
// writing and reading somebody else may have been at the chain.
func alike(printed, want []string) bool {
	ours := func(r string) bool { return strings.Contains(strings.ReplaceAll(r, `"`, ""), mine) }
	foreign := func(i int) bool { return ours(want[i]) && !ours(printed[i]) }
	if len(printed) != len(want) {
		return false
	}
	for i := range want {
		if foreign(i) {
			return false
		}
	}
	return true
}

// same reports whether a chain has the wanted rules. Releases of iptables may print a rule
// otherwise than we write it, so how ours came out when we last wrote them counts as well.
func (h *Host) same(have, want []string) bool {
	printed, ok := h.asPrinted[strings.Join(want, "\n")]
	return slices.Equal(have, want) || ok && slices.Equal(have, printed)
}
