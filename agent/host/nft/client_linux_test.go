package nft

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/kernel"
	"github.com/sealane/sealane/api"
)

// script is a system that says what it is told to, and counts.
type script struct {
	count    uint32
	lacks    error
	tables   []Found
	answers  map[string]string // by the arguments of a command
	refuse   string            // an input with these words is refused
	commands []string
}

func (s *script) Generation() (uint32, error) { return s.count, s.lacks }
func (s *script) Tables() ([]Found, error)    { return s.tables, nil }
func (s *script) Installed() error            { return nil }

func (s *script) Command(_ context.Context, input string, args ...string) ([]byte, error) {
	words := strings.Join(args, " ")
	s.commands = append(s.commands, words)
	if words != "-f -" {
		return []byte(s.answers[words]), nil
	}
	if s.refuse != "" && strings.Contains(input, s.refuse) {
		return nil, errors.New("no such element")
	}
	s.count++
	s.commands[len(s.commands)-1] += "\n" + input
	return nil, nil
}

func (s *script) want(t *testing.T, when string, commands ...string) {
	t.Helper()
	if diff := cmp.Diff(commands, s.commands); diff != "" {
		t.Errorf("%s: commands (-want +have):\n%s", when, diff)
	}
	s.commands = nil
}

func example(members ...string) Table {
	var all []netip.Prefix
	for _, m := range members {
		all = append(all, netip.MustParsePrefix(m))
	}
	return Table{
		Family: host.IPv4, Name: "ours", Sets: []Set{{"nets", all}},
		Chain: Chain{Name: "post", Type: "nat", Hook: "postrouting", Priority: 90, Rules: []string{"ip saddr @nets snat to ip saddr"}},
	}
}

const exampleJSON = `{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "ip", "name": "ours", "handle": 2}},
	{"set": {"family": "ip", "name": "nets", "table": "ours", "type": "ipv4_addr", "flags": ["interval"], "elem": [{"prefix": {"addr": "10.0.0.0", "len": 24}}, "10.9.0.1"]}},
	{"chain": {"family": "ip", "table": "ours", "name": "post", "handle": 1, "type": "nat", "hook": "postrouting", "prio": 90, "policy": "accept"}},
	{"rule": {"family": "ip", "table": "ours", "chain": "post", "handle": 4, "comment": "sealane 48e783d2", "expr": []}}]}`

// TestIdle reads once for each count of the kernel's, and not what it wrote itself.
func TestIdle(t *testing.T) {
	s := &script{count: 7, tables: []Found{{ID: ID{"ip", "ours"}}, {ID: ID{"ip", "filter"}}}, answers: map[string]string{
		"-j list table ip ours": exampleJSON, "-j list ruleset": "{}",
	}}
	c := New(s)
	table := example("10.0.0.0/24", "10.9.0.1/32")
	write := func(want Table) {
		t.Helper()
		have, err := c.Read(t.Context(), want.ID())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range c.Write(host.KindSource, "", want, have) {
			if err := step.Do(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	for range 3 {
		write(table)
		if _, err := c.Ruleset(t.Context()); err != nil {
			t.Error(err)
		}
	}
	s.want(t, "three times the same", "-j list table ip ours", "-j list ruleset")
	for range 3 {
		write(example("10.0.0.0/24", "10.1.0.0/24"))
	}
	s.want(t, "another member", "-f -\ndelete element ip ours nets { 10.9.0.1/32 }\nadd element ip ours nets { 10.1.0.0/24 }\n")
	s.count++
	write(table)
	s.want(t, "somebody else changed it back", "-j list table ip ours")
	s.refuse = "delete element"
	write(example("10.0.0.0/24"))
	s.want(t, "a member refused", "-f -", "-f -\n"+example("10.0.0.0/24").Text())
}

func TestChange(t *testing.T) {
	have, err := decodeTable([]byte(exampleJSON))
	if err != nil {
		t.Fatal(err)
	}
	whole := func(text string) bool { return strings.HasPrefix(text, "table ip ours {}\ndelete table ip ours\n") }
	other := example("10.0.0.0/24")
	other.Chain.Rules = []string{"accept"}
	for _, tt := range []struct {
		name string
		want Table
		text string // empty: the whole table
		none bool
	}{
		{name: "the same, twice and in parts", want: example("10.9.0.1/32", "10.0.0.0/24", "10.0.0.128/25"), none: true},
		{name: "more", want: example("10.9.0.1/32", "10.0.0.0/24", "10.0.1.0/24"), text: "add element ip ours nets { 10.0.1.0/24 }\n"},
		{name: "a larger one", want: example("10.0.0.0/23", "10.9.0.1/32"), text: "delete element ip ours nets { 10.0.0.0/24 }\nadd element ip ours nets { 10.0.0.0/23 }\n"},
		{name: "another rule", want: other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.want.Change(have)
			if text != tt.text && (tt.text != "" || tt.none || !whole(text)) {
				t.Errorf("%q, want %q", text, tt.text)
			}
		})
	}
	for name, damage := range map[string][2]string{
		"a rule more":      {`"comment": "sealane 48e783d2"`, `"comment": "sealane 48e783d2"}}, {"rule": {"chain": "post"`},
		"a rule of others": {`"comment": "sealane 48e783d2"`, `"handle": 5`},
		"a priority":       {`"prio": 90`, `"prio": 100`},
		"a policy":         {`"policy": "accept"`, `"policy": "drop"`},
		"a set of ports":   {`"10.9.0.1"`, `80`},
		"a set less":       {`"name": "nets"`, `"name": "others"`},
	} {
		have, err := decodeTable([]byte(strings.Replace(exampleJSON, damage[0], damage[1], 1)))
		if text := example("10.0.0.0/24", "10.9.0.1/32").Change(have); err != nil || !whole(text) {
			t.Errorf("%s: %q, %v; want the whole table", name, text, err)
		}
	}
}

func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		`"10.0.0.1"`: "10.0.0.1/32",
		`{"prefix": {"addr": "fd00::", "len": 64}}`:       "fd00::/64",
		`{"range": ["10.0.0.0", "10.0.2.255"]}`:           "10.0.0.0/23 10.0.2.0/24",
		`{"range": ["255.255.255.0", "255.255.255.255"]}`: "255.255.255.0/24",
		`{"elem": {"val": "10.0.0.1", "comment": "x"}}`:   "10.0.0.1/32",
		`{"concat": ["10.0.0.1", 80]}`:                    "",
		`80`:                                              "",
	} {
		var have []string
		for _, p := range decodeMember([]byte(text)) {
			have = append(have, p.String())
		}
		if strings.Join(have, " ") != want {
			t.Errorf("%s: %v, want %s", text, have, want)
		}
	}
}

func TestAbsent(t *testing.T) {
	s := &script{lacks: kernel.Explain(lacksErrno)}
	c := New(s)
	if err := c.Absent(); !errors.Is(err, api.ErrUnsupported) || !strings.Contains(err.Error(), "nf_tables") {
		t.Errorf("a kernel without: %v", err)
	}
	all, err := c.Tables()
	state, failure := c.Read(t.Context(), ID{"ip", "ours"})
	if len(all) > 0 || err != nil || state.There || failure != nil {
		t.Errorf("a kernel without: tables %v, %v; state %v, %v", all, err, state, failure)
	}
	s.lacks = nil
	if err := c.Absent(); err != nil {
		t.Error(err)
	}
	for complaint, kind := range map[string]error{
		"Error: Could not process rule: Operation not supported": api.ErrUnsupported,
		"Operation not permitted (you must be root)":             api.ErrPermission,
	} {
		err := explainComplaint(errors.New("exit status 1"), complaint)
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: %v", complaint, err)
		}
	}
}
