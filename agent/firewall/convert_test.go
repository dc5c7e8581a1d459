package firewall

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// update has nft print anew what the tests' rulesets and the captures are as JSON. It needs
// root, and the commands nft, iptables-nft and ipset.
var update = flag.Bool("update", false, "print testdata's JSON anew, with the nft that is here")

const convertedFile = "testdata/rulesets.json"

// converted are the rulesets that tests write as text, as nft prints them.
type converted struct {
	sync.Mutex
	known map[string]json.RawMessage
	added bool
}

var conversions converted

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if conversions.added {
		if err := conversions.save(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func (c *converted) save() error {
	var b strings.Builder
	b.WriteString("{\n")
	for i, text := range slices.Sorted(maps.Keys(c.known)) {
		key, err := json.Marshal(text)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "%s:\n%s", key, c.known[text])
	}
	b.WriteString("\n}\n")
	return os.WriteFile(convertedFile, []byte(b.String()), 0o644)
}

// asJSON is a ruleset, written as text, as nft -j prints it.
func asJSON(t testing.TB, text string) string {
	t.Helper()
	if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "{") {
		return text
	}
	conversions.Lock()
	defer conversions.Unlock()
	if conversions.known == nil {
		conversions.known = map[string]json.RawMessage{}
		if b, err := os.ReadFile(convertedFile); err == nil {
			if err := json.Unmarshal(b, &conversions.known); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, known := conversions.known[text]; !known {
		if !*update {
			t.Fatalf("not in %s, run with -update as root:\n%s", convertedFile, text)
		}
		conversions.known[text] = json.RawMessage(printJSON(t, text, "", "", nil))
		conversions.added = true
	}
	return string(conversions.known[text])
}

// printJSON loads rules into a network namespace and has nft print them.
func printJSON(t testing.TB, text, save, save6 string, sets []string) string {
	t.Helper()
	ns := fmt.Sprintf("firewall-%d", os.Getpid())
	command(t, "", "ip", "netns", "add", ns)
	defer command(t, "", "ip", "netns", "del", ns)
	in := []string{"ip", "netns", "exec", ns}
	for _, s := range sets {
		family := "inet"
		if strings.HasSuffix(s, "v6") {
			family = "inet6"
		}
		command(t, "", append(in, "ipset", "create", s, "hash:net", "family", family)...)
	}
	for tool, rules := range map[string]string{"iptables-nft-restore": save, "ip6tables-nft-restore": save6} {
		if rules != "" {
			command(t, rules, append(in, tool)...)
		}
	}
	if text != "" {
		command(t, text, append(in, "nft", "-f", "-")...)
	}
	return strings.TrimSpace(command(t, "", append(in, "nft", "-j", "list", "ruleset")...))
}

func command(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, stderr.String(), stdin)
	}
	return stdout.String()
}

// parseText is Parse of a dump whose ruleset is written as text.
func parseText(t testing.TB, d Dump) (*Ruleset, error) {
	t.Helper()
	d.Ruleset = asJSON(t, d.Ruleset)
	return Parse(d)
}

// TestConvertFixtures prints the captures' rulesets as JSON, from what iptables-save said and
// the tables that are not iptables'.
func TestConvertFixtures(t *testing.T) {
	if !*update {
		t.Skip("without -update")
	}
	for _, f := range captured(t) {
		if f.backend == "legacy" {
			continue
		}
		save, save6 := f.read(t, "iptables-save.txt"), f.read(t, "ip6tables-save.txt")
		var own []string
		for _, table := range strings.SplitAfter(f.read(t, "nft-ruleset.txt"), "\n}\n") {
			words := strings.Fields(table)
			if len(words) < 3 {
				continue
			}
			if slices.Contains([]string{"raw", "mangle", "nat", "filter"}, words[2]) && words[1] != "inet" && save != "" {
				continue
			}
			// The captures' nft names a priority that this one takes by its number only.
			own = append(own, strings.ReplaceAll(table, "hook output priority dstnat;", "hook output priority -100;"))
		}
		var sets []string
		for _, name := range []string{"docker-ext-bridges-v4", "docker-ext-bridges-v6"} {
			if strings.Contains(save+save6, name) {
				sets = append(sets, name)
			}
		}
		out := printJSON(t, strings.Join(own, ""), save, save6, sets)
		if err := os.WriteFile(filepath.Join("testdata", f.name, "nft-ruleset.json"), []byte(out+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
