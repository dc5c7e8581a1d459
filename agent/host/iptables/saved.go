package iptables

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Saved looks for rules of ours among those that are restored at boot. A restore fails as a
// whole where a rule names a set that is not there yet, and the host then boots without its
// firewall. A file is read again only when it changed. Saved is for one goroutine at a time.
type Saved struct {
	root  string
	files map[string]savedFile // by path
}

// NewSaved returns what looks below a root directory: "/" is this machine's. Empty: nothing
// is looked at.
func NewSaved(root string) *Saved { return &Saved{root: root, files: map[string]savedFile{}} }

// savedFile is what matters of a file.
type savedFile struct {
	changed  time.Time
	size     int64
	sets     []string // of ours that its rules match
	made     []string // of ours that it makes
	chains   bool     // it calls a chain of ours that it does not make
	includes []string // as nft reads them
}

// Paths are the files whose restore fails because of us, sorted.
func (s *Saved) Paths() []string {
	if s.root == "" {
		return nil
	}
	var named []string
	for _, place := range []struct{ rules, sets []string }{
		{[]string{"etc/iptables/rules.v4", "etc/iptables/rules.v6"}, []string{"etc/iptables/ipsets"}},
		{[]string{"etc/sysconfig/iptables", "etc/sysconfig/ip6tables"}, []string{"etc/sysconfig/ipset", "etc/sysconfig/ipset.d/*"}},
	} {
		var made []string
		for _, pattern := range place.sets {
			for _, path := range s.list(pattern) {
				made = append(made, s.readSaved(path).made...)
			}
		}
		for _, rules := range place.rules {
			path := filepath.Join(s.root, rules)
			f := s.readSaved(path)
			unmade := func(set string) bool { return !slices.Contains(made, set) }
			if f.chains || slices.ContainsFunc(f.sets, unmade) {
				named = append(named, path)
			}
		}
	}
	named = append(named, s.readNFT(filepath.Join(s.root, "etc/nftables.conf"), nil)...)
	slices.Sort(named)
	return slices.Compact(named)
}

// list are the files below the root that a pattern matches.
func (s *Saved) list(pattern string) []string {
	paths, _ := filepath.Glob(filepath.Join(s.root, pattern)) // the patterns are well-formed
	return paths
}

// readNFT are, of a file of nftables and those it includes, the ones that name ours. nft cannot
// read back what it prints of a rule that matches a set of ipset.
func (s *Saved) readNFT(path string, above []string) []string {
	if slices.Contains(above, path) {
		return nil
	}
	var named []string
	f := s.readSaved(path)
	if f.chains || len(f.sets) > 0 {
		named = append(named, path)
	}
	for _, include := range f.includes {
		if !filepath.IsAbs(include) {
			include = filepath.Join("/etc", include)
		}
		for _, included := range s.list(include) {
			named = append(named, s.readNFT(included, append(above, path))...)
		}
	}
	return named
}

// readSaved is what matters of a file; nothing if it cannot be read.
func (s *Saved) readSaved(path string) savedFile {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeType != 0 {
		delete(s.files, path)
		return savedFile{}
	}
	if f, ok := s.files[path]; ok && f.changed.Equal(info.ModTime()) && f.size == info.Size() {
		return f
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return savedFile{}
	}
	f := parseSaved(string(data))
	f.changed, f.size = info.ModTime(), info.Size()
	s.files[path] = f
	return f
}

func parseSaved(text string) savedFile {
	f := savedFile{
		sets:     namesIn(text, `--match-set (sealane-\S+)`),
		made:     namesIn(text, `(?m)^\s*create (sealane-\S+) `),
		includes: namesIn(text, `(?m)^\s*include\s+["']([^"']+)["']`),
	}
	made := namesIn(text, `(?m)^\s*(?::|chain )(SEALANE-[A-Z]+) `)
	for _, chain := range namesIn(text, `(?m)^[^#\n]*(?:-[jg]|\bjump|\bgoto) (SEALANE-[A-Z]+)`) {
		f.chains = f.chains || !slices.Contains(made, chain)
	}
	if strings.Contains(text, "SEALANE-") {
		f.sets = append(f.sets, namesIn(text, `(?m)^[^#\n]*xt match "?(set)\b`)...)
	}
	return f
}

// namesIn are the names that an expression finds in a text, each once.
func namesIn(text, expression string) []string {
	var names []string
	for _, found := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}
