package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Our chains. Chain names are part of what operators see and scripts may rely on.
const (
	chainRaw   = "SEALANE-RAW"
	chainFwd   = "SEALANE-FWD"
	dockerUser = "DOCKER-USER"
	mine       = "-m comment --comment sealane"
)

// jump is a rule that leads from a chain of others to ours.
type jump struct {
	table, from, to string
	first           bool // must be the first rule; otherwise being there is enough
}

// jumps are all the places our chains are called from. DOCKER-USER is the one chain that
// Docker puts first and never empties; up to 28.1 it ends with RETURN, so only the first
// place counts. The jump in FORWARD stands in after somebody ran iptables -F, until Docker
// restarts. Docker only appends to raw PREROUTING.
func jumps() []jump {
	return []jump{
		{"raw", "PREROUTING", chainRaw, true},
		{"filter", dockerUser, chainFwd, true},
		{"filter", "FORWARD", chainFwd, false},
	}
}

func (j jump) spec() string { return j.from + " " + mine + " -j " + j.to }

// ourChains are the rules of our chains, in the form iptables prints them. The accepts are
// stateless, so that a flow of which the host sees one direction only is not dropped. The
// icmp rules let path MTU discovery and traceroute work: routers on the way answer to
// container addresses from their own. The uplink is matched so that no local container
// can pose as a remote one.
func ourChains(uplink string) map[string][]string {
	in := "-i " + uplink
	remote := "-m set --match-set " + setPeers
	local := "-m set --match-set " + setLocal
	accept := mine + " -j ACCEPT"
	return map[string][]string{
		chainRaw: {
			rule(chainRaw, in, remote, "src", local, "dst", accept),
			rule(chainRaw, in, "-p icmp", local, "dst -m icmp --icmp-type 3/4", accept),
			rule(chainRaw, in, "-p icmp", local, "dst -m icmp --icmp-type 11", accept),
		},
		chainFwd: {
			rule(chainFwd, in, remote, "src", local, "dst", accept),
			rule(chainFwd, "-o "+uplink, local, "src", remote, "dst", accept),
		},
	}
}

func rule(chain string, parts ...string) string {
	return "-A " + chain + " " + strings.Join(parts, " ")
}

func (h *Host) applyRules(ctx context.Context, w Wish, done func(Kind, string)) error {
	if err := applySets(w, done); err != nil {
		return err
	}
	d, err := detect(ctx)
	if err != nil {
		return err
	}
	if h.mem.Variant != "" && h.mem.Variant != d.variant {
		if err := h.removeRules(ctx, done); err != nil {
			return fmt.Errorf("leave iptables variant %s: %w", h.mem.Variant, err)
		}
	}
	fw, err := openFirewall(d.variant)
	if err != nil {
		return err
	}
	if h.mem.Chains == nil {
		if err := h.remember(func(m *memory) { m.Variant, m.Chains = d.variant, ours(fw.chains) }); err != nil {
			return err
		}
	}
	if err := h.makeDockerUser(fw, done); err != nil {
		return err
	}
	for _, table := range []string{"raw", "filter"} {
		if err := h.applyTable(ctx, fw, table, w.Uplink, done); err != nil {
			return err
		}
	}
	return nil
}

// ours are those of the tables and chains that matter when we put things back.
func ours(chains map[string]bool) *[]string {
	kept := []string{}
	for name := range chains {
		if table, _, _ := strings.Cut(name, "/"); table == "raw" || table == "filter" {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return &kept
}

// makeDockerUser makes chain DOCKER-USER when the agent is there before Docker, which then
// adopts it and calls it first. Without it Docker 28 and later would put its own jumps
// ahead of ours.
func (h *Host) makeDockerUser(fw *firewall, done func(Kind, string)) error {
	if !fw.chains["filter/"+dockerUser] {
		if err := fw.ipt.NewChain("filter", dockerUser); err != nil {
			return fmt.Errorf("make chain %s: %w", dockerUser, hint(err))
		}
		fw.chains["filter"], fw.chains["filter/"+dockerUser], fw.chains["filter/FORWARD"] = true, true, true
		done(KindChain, dockerUser+" made ahead of Docker")
	} else if !h.madeDockerUser(fw) {
		return nil // it is Docker's, and so is the jump to it
	}
	there, err := fw.ipt.Exists("filter", "FORWARD", "-j", dockerUser)
	if err != nil {
		return fmt.Errorf("look for the jump to %s: %w", dockerUser, hint(err))
	}
	if there {
		return nil
	}
	if err := fw.ipt.Insert("filter", "FORWARD", 1, "-j", dockerUser); err != nil {
		return fmt.Errorf("put the jump to %s: %w", dockerUser, hint(err))
	}
	done(KindJump, "FORWARD to "+dockerUser)
	return nil
}

// madeDockerUser reports whether DOCKER-USER is there, was made by us and is not in
// Docker's use yet.
func (h *Host) madeDockerUser(fw *firewall) bool {
	return fw.chains["filter/"+dockerUser] && !fw.chains["filter/DOCKER"] &&
		h.mem.Variant == fw.variant && !slices.Contains(*h.mem.Chains, "filter/"+dockerUser)
}

// applyTable fills our chain of a table and puts the jumps to it in their places, all at
// one moment.
func (h *Host) applyTable(ctx context.Context, fw *firewall, table, uplink string, done func(Kind, string)) error {
	chain := map[string]string{"raw": chainRaw, "filter": chainFwd}[table]
	want := ourChains(uplink)[chain]
	var lines []string
	var repairs []Repair
	have, err := fw.list(table, chain)
	if err != nil {
		return err
	}
	refilled := !fw.chains[table+"/"+chain] || !h.same(have, want)
	if refilled {
		lines = append(append(lines, ":"+chain+" - [0:0]"), want...)
		repairs = append(repairs, Repair{KindChain, chain})
	}
	for _, j := range jumps() {
		if j.table != table {
			continue
		}
		moves, err := j.moves(fw)
		if err != nil {
			return err
		}
		if len(moves) > 0 {
			lines = append(lines, moves...)
			repairs = append(repairs, Repair{KindJump, j.from + " to " + j.to})
		}
	}
	if err := fw.commit(ctx, table, lines); err != nil {
		return err
	}
	for _, r := range repairs {
		done(r.Kind, r.What)
	}
	if !refilled {
		return nil
	}
	fw.chains[table+"/"+chain] = true
	printed, err := fw.list(table, chain)
	h.prints[strings.Join(want, "\n")] = printed
	return err
}

// same reports whether a chain has the wanted rules. Releases of iptables may print a rule
// otherwise than we write it, so how ours came out when we last wrote them counts as well.
func (h *Host) same(have, want []string) bool {
	printed, ok := h.prints[strings.Join(want, "\n")]
	return slices.Equal(have, want) || ok && slices.Equal(have, printed)
}

// moves are the lines that bring the jump to its place; none if it is there, once. A jump
// that others got ahead of is taken out and put first again in the same transaction.
func (j jump) moves(fw *firewall) ([]string, error) {
	rules, err := fw.list(j.table, j.from)
	if err != nil {
		return nil, err
	}
	var at []int
	for i, r := range rules {
		if r == "-A "+j.spec() {
			at = append(at, i)
		}
	}
	if len(at) == 1 && (!j.first || at[0] == 0) {
		return nil, nil
	}
	var lines []string
	for range at {
		lines = append(lines, "-D "+j.spec())
	}
	return append(lines, "-I "+j.from+" 1 "+mine+" -j "+j.to), nil
}
