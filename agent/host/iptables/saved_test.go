package iptables

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ours is what iptables-save prints while an agent runs.
const ours = `*filter
:FORWARD DROP [48:3792]
:SEALANE-FWD - [0:0]
-A FORWARD -m comment --comment sealane -j SEALANE-FWD
-A SEALANE-FWD -i eth0 -m set --match-set sealane-peers src -m set --match-set sealane-local dst -m comment --comment sealane -j ACCEPT
COMMIT
`

func TestSavedRules(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing saved": {},
		"others' rules": {files: map[string]string{"iptables/rules.v4": "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m set --match-set friends src -j ACCEPT\nCOMMIT\n"}},
		"Debian": {
			map[string]string{"iptables/rules.v4": ours, "iptables/rules.v6": strings.ReplaceAll(ours, "l src", "l6 src")},
			[]string{"iptables/rules.v4", "iptables/rules.v6"},
		},
		"with the sets": {files: map[string]string{
			"iptables/rules.v4": ours, "iptables/ipsets": "create sealane-local hash:net family inet\ncreate sealane-peers hash:net family inet\n",
		}},
		"with one of the sets": {
			map[string]string{"iptables/rules.v4": ours, "iptables/ipsets": "create sealane-local hash:net family inet\n"},
			[]string{"iptables/rules.v4"},
		},
		"with the sets of another system": {
			map[string]string{"sysconfig/iptables": ours, "iptables/ipsets": "create sealane-local hash:net\ncreate sealane-peers hash:net\n"},
			[]string{"sysconfig/iptables"},
		},
		"Red Hat": {
			map[string]string{"sysconfig/ip6tables": ours, "sysconfig/ipset.d/a.set": "create others hash:ip\n"},
			[]string{"sysconfig/ip6tables"},
		},
		"a jump without its chain": {
			map[string]string{"iptables/rules.v4": "*filter\n-A FORWARD -j SEALANE-FWD\nCOMMIT\n"},
			[]string{"iptables/rules.v4"},
		},
		"nftables, included": {
			map[string]string{
				"nftables.conf":     "flush ruleset\n# include \"/etc/other.nft\"\ninclude \"/etc/nftables.d/*.nft\"\ninclude \"nftables.conf\"\n",
				"nftables.d/a.nft":  "table ip filter {\n\tchain SEALANE-FWD {\n\t\tiifname \"eth0\" xt match set counter packets 0 bytes 0 accept\n\t}\n}\n",
				"nftables.d/b.nft":  "table inet own {\n\tchain in { type filter hook input priority 0; policy drop; }\n}\n",
				"nftables.d/c.conf": "jump SEALANE-FWD",
			},
			[]string{"nftables.d/a.nft"},
		},
		"nftables with a table of ours": {files: map[string]string{"nftables.conf": "table ip sealane {\n\tchain post { ip saddr @localnets snat to ip saddr; }\n}\n"}},
	} {
		root := t.TempDir()
		for path, text := range tt.files {
			writeFile(t, filepath.Join(root, "etc", path), text)
		}
		var have []string
		for _, path := range NewSaved(root).Paths() {
			rel, err := filepath.Rel(filepath.Join(root, "etc"), path)
			if err != nil {
				t.Fatal(err)
			}
			have = append(have, rel)
		}
		if diff := cmp.Diff(tt.want, have); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}

// TestSavedAgain reads a file again only when it changed.
func TestSavedAgain(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "etc/iptables/rules.v4")
	writeFile(t, path, ours)
	s := NewSaved(root)
	want := func(when string, count int) {
		t.Helper()
		if have := s.Paths(); len(have) != count {
			t.Errorf("%s: %v, want %d", when, have, count)
		}
	}
	want("saved", 1)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, strings.Repeat("#", int(info.Size())))
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	want("not told from before", 1)
	later := info.ModTime().Add(time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	want("changed", 0)
	if have := NewSaved("").Paths(); have != nil {
		t.Errorf("without a root: %v", have)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
