package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// detected is what can be told about who keeps rules where.
type detected struct {
	variant  Variant // what to write with
	standard Variant // what the plain command writes
	docker   bool    // Docker's chains are there
	native   bool    // in a table of Docker's own
	blocked  Variant // the other one than variant, if its FORWARD drops by policy
}

// detect finds the variant that Docker writes with, since a rule in the other one has no
// say. Docker's own chain decides; where there is none yet, what the command "iptables"
// writes, as that is what Docker will call. The legacy command is asked only when legacy
// tables exist, because its mere listing creates them.
func detect(ctx context.Context) (detected, error) {
	standard, err := standardVariant(ctx)
	if err != nil {
		return detected{}, err
	}
	nft, err := nftChains()
	if err != nil {
		return detected{}, err
	}
	legacy, err := legacyChains()
	if err != nil {
		return detected{}, err
	}
	d := detected{variant: standard, standard: standard, native: nft["docker-bridges"]}
	// Not DOCKER-USER: we make that one ourselves when we are first.
	inNFT, inLegacy := nft["filter/DOCKER"], legacy["filter/DOCKER"]
	d.docker = inNFT || inLegacy || d.native
	switch {
	case inNFT && !inLegacy:
		d.variant = NFT
	case inLegacy && !inNFT:
		d.variant = Legacy
	}
	drops, other := nftDrops, NFT
	if d.variant == NFT {
		drops, other = func() (bool, error) { return legacyDrops(legacy, standard) }, Legacy
	}
	if dropping, err := drops(); err != nil {
		return d, err
	} else if dropping {
		d.blocked = other
	}
	return d, nil
}

// nftDrops reports whether the policy of FORWARD in the nft variant is DROP. An accept in
// one variant does not save a packet from the policy of the other.
func nftDrops() (bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil && !noSubsystem(err) {
		return false, fmt.Errorf("list nftables chains: %w", hint(err))
	}
	return slices.ContainsFunc(chains, func(c *nftables.Chain) bool {
		return c.Table.Name == "filter" && c.Name == "FORWARD" && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
	}), nil
}

// legacyDrops is the same for the legacy variant, given its chains. It needs a command that
// writes this variant for sure.
func legacyDrops(chains map[string]bool, standard Variant) (bool, error) {
	if _, err := exec.LookPath("iptables-legacy"); err != nil && standard != Legacy || !chains["filter/FORWARD"] {
		return false, nil
	}
	ipt, err := openIPTables(Legacy)
	if err != nil {
		return false, err
	}
	lines, err := ipt.List("filter", "FORWARD")
	if err != nil {
		return false, fmt.Errorf("list chain FORWARD of the legacy variant: %w", hint(err))
	}
	return slices.Contains(lines, "-P FORWARD DROP"), nil
}

func standardVariant(ctx context.Context) (Variant, error) {
	// For example "iptables v1.8.9 (nf_tables)"; releases before 1.8 name no variant.
	version, err := exec.CommandContext(ctx, "iptables", "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run iptables --version: %w", err)
	}
	if strings.Contains(string(version), "nf_tables") {
		return NFT, nil
	}
	return Legacy, nil
}

// command is the path of the command that writes this variant. Distributions with one
// variant only have no suffixed commands.
func command(v Variant) (string, error) {
	if path, err := exec.LookPath("iptables-" + string(v)); err == nil {
		return path, nil
	}
	return exec.LookPath("iptables")
}

// chainsOf names every table of a variant, as "raw", and every chain, as "raw/PREROUTING".
func chainsOf(v Variant) (map[string]bool, error) {
	if v == Legacy {
		return legacyChains()
	}
	return nftChains()
}

func nftChains() (map[string]bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if noSubsystem(err) {
		return map[string]bool{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", hint(err))
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", hint(err))
	}
	have := map[string]bool{}
	for _, t := range tables {
		have[t.Name] = true
	}
	for _, c := range chains {
		have[c.Table.Name+"/"+c.Name] = true
	}
	return have, nil
}

func legacyChains() (map[string]bool, error) {
	names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the names of the legacy tables: %w", err)
	}
	have := map[string]bool{}
	if len(names) == 0 {
		return have, nil
	}
	ipt, err := openIPTables(Legacy)
	if err != nil {
		return nil, err
	}
	for table := range strings.FieldsSeq(string(names)) {
		chains, err := ipt.ListChains(table)
		if err != nil {
			return nil, fmt.Errorf("list the chains of legacy table %s: %w", table, hint(err))
		}
		have[table] = true
		for _, chain := range chains {
			have[table+"/"+chain] = true
		}
	}
	return have, nil
}
