package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// detected is what can be told about who keeps rules where.
type detected struct {
	variant  host.Variant // what to write with
	standard host.Variant // what the plain command writes
	docker   bool         // Docker's chains are there
	shielded bool         // Docker drops what is not published, whatever the policy of FORWARD
	native   *host.Native // Docker's own table
	blocked  host.Variant // the other one than variant, if its FORWARD drops by policy
	others   []string
	tables   map[host.Variant]*firewall // what each variant has; nil for one that is not in use
}

// tell adds what was detected to the facts.
func (d detected) tell(f *host.Facts) {
	f.Docker, f.Native, f.Shielded, f.Others = d.docker, d.native, d.shielded, d.others
	f.Variant, f.Default, f.Blocked = d.variant, d.standard, d.blocked
	if d.tables == nil {
		return
	}
	f.UserDrops = d.tables[d.variant].drops(dockerUser, map[string]bool{})
}

// drops are the rules, not ours, that drop in a chain of table filter, or in one that it
// leads to.
func (f *firewall) drops(chain string, seen map[string]bool) []string {
	var found []string
	seen[chain] = true
	for _, r := range f.of("filter", chain) {
		words := strings.Fields(r)
		at := slices.IndexFunc(words, func(w string) bool { return w == "-j" || w == "-g" })
		if at < 0 || at+1 >= len(words) {
			continue
		}
		switch target := words[at+1]; {
		case target == "DROP", target == "REJECT":
			found = append(found, strings.TrimPrefix(r, "-A "))
		case target != chainFwd && f.has("filter", target) && !seen[target]:
			found = append(found, f.drops(target, seen)...)
		}
	}
	return found
}

// detect finds the variant that Docker writes with, since a rule in the other one has no
// say. Docker's own chain decides; where there is none yet, what the command "iptables"
// writes, as that is what Docker will call. The legacy command is asked only when legacy
// tables exist, because its mere listing creates them.
func (h *Host) detect(ctx context.Context) (detected, error) {
	standard, err := h.standardVariant(ctx)
	if err != nil {
		return detected{}, err
	}
	d := detected{variant: cmp.Or(standard, host.NFT), standard: standard, tables: map[host.Variant]*firewall{}}
	for _, v := range []host.Variant{host.NFT, host.Legacy} {
		if d.tables[v], err = h.readTables(ctx, host.IPv4, v); err != nil {
			return detected{}, err
		}
	}
	if d.native, err = h.readNative(); err != nil {
		return detected{}, err
	}
	// Not DOCKER-USER: we make that one ourselves when we are first.
	inNFT, inLegacy := d.tables[host.NFT].has("filter", "DOCKER"), d.tables[host.Legacy].has("filter", "DOCKER")
	d.docker = inNFT || inLegacy || d.native != nil
	switch {
	case inNFT && !inLegacy:
		d.variant = host.NFT
	case inLegacy && !inNFT:
		d.variant = host.Legacy
	}
	d.blocked = blocked(d)
	mine := d.tables[d.variant]
	// From 28.0 on chain DOCKER ends with a drop for each bridge.
	d.shielded = d.native != nil || slices.ContainsFunc(mine.chains["filter/DOCKER"], func(r string) bool { return strings.HasSuffix(r, " -j DROP") })
	if d.others, err = h.others(mine); err != nil {
		return detected{}, err
	}
	return d, nil
}

// blocked is a variant whose policy of FORWARD drops, without a rule of ours in it to lift
// that. While Docker uses its own nft table, that can be either.
func blocked(d detected) host.Variant {
	for _, v := range []host.Variant{host.NFT, host.Legacy} {
		if v != d.variant && d.tables[v].policies["filter/FORWARD"] == "DROP" {
			return v
		}
	}
	return ""
}

// others names the programs that are known to keep rules of their own beside Docker's.
func (h *Host) others(fw *firewall) ([]string, error) {
	tables, err := h.tables.look(nftTables)
	if err != nil {
		return nil, err
	}
	var found []string
	if tables["firewalld"] || fw.has("filter", "FWD_public") || fw.has("filter", "FORWARD_direct") {
		found = append(found, "firewalld")
	}
	if fw.has("filter", "ufw-before-forward") {
		found = append(found, "ufw")
	}
	return found, nil
}

// standardVariant is what the plain command writes, and none where it is missing. It is asked
// once for each file that the command leads to, as distributions switch by a link.
func (h *Host) standardVariant(ctx context.Context) (host.Variant, error) {
	path, err := h.lookPath("iptables")
	if err != nil {
		h.standard = ""
		return "", nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("find iptables: %w", err)
	}
	if v, ok := h.standards[path+" "+target]; ok {
		h.standard = v
		return v, nil
	}
	// For example "iptables v1.8.9 (nf_tables)"; releases before 1.8 name no variant.
	version, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run iptables --version: %w", err)
	}
	v := host.Legacy
	if strings.Contains(string(version), "nf_tables") {
		v = host.NFT
	}
	h.standards[path+" "+target], h.standard = v, v
	return v, nil
}

// readTables is what a variant has now. That of the nft variant is read anew only when the
// kernel counted a change of nftables since, that of the legacy variant once by each call;
// without tables, the commands are not asked. A variant that no command here writes has nothing: the plain command is one of the two.
func (h *Host) readTables(ctx context.Context, f host.Family, v host.Variant) (*firewall, error) {
	path, err := h.command(f, v)
	none := &firewall{family: f, variant: v, path: path, chains: map[string][]string{}, policies: map[string]string{}}
	_, suffixed := h.lookPath(toolOf(f) + "-" + string(v))
	if err != nil || suffixed != nil && h.standard != v {
		return none, nil
	}
	if v == host.Legacy {
		names, err := os.ReadFile("/proc/thread-self/net/" + map[bool]string{false: "ip_tables_names", true: "ip6_tables_names"}[f == host.IPv6])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the names of the legacy tables: %w", err)
		}
		if len(names) == 0 {
			return none, nil
		}
		if fw := h.legacy[f]; fw != nil {
			return fw, nil
		}
		fw, err := h.readFirewall(ctx, f, v)
		if err == nil {
			h.legacy[f] = fw
		}
		return fw, err
	}
	count, err := generation()
	if kernel.Lacks(err) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	if last := h.read[f]; last.fw != nil && last.count == count && last.fw.path == path {
		return last.fw, nil
	}
	fw, err := h.readFirewall(ctx, f, v)
	if err == nil {
		h.read[f] = reading{count, fw}
	}
	return fw, err
}

// reading is what the nft variant had at a count of the kernel's.
type reading struct {
	count uint32
	fw    *firewall
}
