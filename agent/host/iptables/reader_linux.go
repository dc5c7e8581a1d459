package iptables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
)

// reader reads the tables, and again only when they may have changed.
type reader struct {
	standards  map[string]host.Variant // what was asked, by the file that the plain command leads to
	standard   host.Variant            // what the plain command writes, as last asked
	generation func() (count uint32, known bool, err error)
	counted    map[host.Family]reading
	legacy     map[host.Family]*tables // as read since expire
}

// expire has the legacy variant read again.
func (r *reader) expire() { clear(r.legacy) }

// standardVariant is what the plain command writes, and none where it is missing. It is asked
// once for each file that the command leads to, as distributions switch by a link.
func (r *reader) standardVariant(ctx context.Context) (host.Variant, error) {
	path, err := exec.LookPath("iptables")
	if err != nil {
		r.standard = ""
		return "", nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("find iptables: %w", err)
	}
	if v, ok := r.standards[path+" "+target]; ok {
		r.standard = v
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
	r.standards[path+" "+target], r.standard = v, v
	return v, nil
}

// currentTables is what a variant has now. That of the nft variant is read anew only when the
// kernel counted a change of nftables since, that of the legacy variant once by each call;
// without tables, the commands are not asked. A variant that no command here writes has
// nothing: the plain command is one of the two.
func (r *reader) currentTables(ctx context.Context, f host.Family, v host.Variant) (*tables, error) {
	path, err := commandPath(f, v)
	none := newTables(f, v, path, "")
	_, suffixed := exec.LookPath(toolOf(f) + "-" + string(v))
	if err != nil || suffixed != nil && r.standard != v {
		return none, nil
	}
	if v == host.Legacy {
		if there, err := hasLegacyTables(f); err != nil || !there {
			return none, err
		}
		if fw := r.legacy[f]; fw != nil {
			return fw, nil
		}
		fw, err := r.list(ctx, f, v)
		if err == nil {
			r.legacy[f] = fw
		}
		return fw, err
	}
	count, known, err := r.generation()
	if err != nil {
		return nil, err
	}
	if !known {
		return none, nil
	}
	if last := r.counted[f]; last.fw != nil && last.count == count && last.fw.path == path {
		return last.fw, nil
	}
	fw, err := r.list(ctx, f, v)
	if err == nil {
		r.counted[f] = reading{count, fw}
	}
	return fw, err
}

// reading is what the nft variant had at a count of the kernel's.
type reading struct {
	count uint32
	fw    *tables
}

// list lists all tables of a variant at once.
func (r *reader) list(ctx context.Context, f host.Family, v host.Variant) (*tables, error) {
	path, err := commandPath(f, v)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", toolOf(f), err)
	}
	out, err := exec.CommandContext(ctx, path+"-save").Output()
	if err != nil {
		return nil, fmt.Errorf("list the rules of %s (%s): %w", toolOf(f), v, kernel.ExplainCommand(err))
	}
	return newTables(f, v, path, string(out)), nil
}

// hasLegacyTables reports whether the kernel has tables of the legacy variant.
func hasLegacyTables(f host.Family) (bool, error) {
	names, err := os.ReadFile("/proc/thread-self/net/" + host.ByFamily(f, "ip_tables_names", "ip6_tables_names"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the names of the legacy tables: %w", err)
	}
	return len(names) > 0, nil
}

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
