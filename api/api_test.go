package api_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func ExamplePlan() {
	route := api.Route{Table: "vtb-1", Destination: prefix("10.0.0.0/24"), NextHop: "i-a"}
	old := api.Route{Table: "vtb-1", Destination: prefix("10.1.0.0/24"), NextHop: "i-c"}
	moved := old
	moved.NextHop = "i-b"
	fmt.Print(api.Plan{
		Changes: []api.Change{
			{Verb: api.Create, Route: route, Reason: api.ReasonNewSubnet},
			{Verb: api.Replace, Route: moved, Was: &old, Reason: api.ReasonMoved},
		},
		Held: []api.Held{{
			Change: api.Change{Verb: api.Delete, Route: old, Reason: api.ReasonHostGone},
			Reason: api.ReasonDeleteBudget, Detail: "6 deletes wanted, 5 of 20 routes allowed",
		}},
		Conflicts: []api.Conflict{{
			Destination: prefix("172.17.0.0/16"), Host: "i-b", HostName: "web-2",
			Reason: api.ReasonOverlapsClaim, With: prefix("172.17.0.0/16"), Holder: "i-a (web-1)",
		}},
	})
	// Output:
	// create 10.0.0.0/24 -> i-a in vtb-1: new-subnet
	// replace 10.1.0.0/24 -> i-b in vtb-1 (was i-c): moved
	// held delete 10.1.0.0/24 -> i-c in vtb-1: delete-budget (6 deletes wanted, 5 of 20 routes allowed)
	// refused 172.17.0.0/16 of i-b (web-2): overlaps-claim (172.17.0.0/16 is held by i-a (web-1))
}

func ExampleMark() {
	m := api.Mark{Cluster: "prod", Host: "i-8vb6dyu0clj3b538e1yh", Generation: 17}
	r := api.Route{Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), Mark: m}
	fmt.Println(m.Name())
	fmt.Println(api.NewSeal("a secret of the controllers").Description(r))
	// Output:
	// sealane/prod/i-8vb6dyu0clj3b538e1yh
	// managed-by=sealane;v=2;cluster=prod;host=i-8vb6dyu0clj3b538e1yh;g=17;mac=30f8e18d1460255b846265e2
}

func TestMarkIsReadBackOnlyWhenIntact(t *testing.T) {
	seal := api.NewSeal("new", "old")
	r := api.Route{
		Table: "vtb-1", Destination: netip.MustParsePrefix("10.0.0.0/24"), NextHop: "i-a",
		Mark: api.Mark{Cluster: "prod", Host: "i-a", Generation: 7},
	}
	name, description := r.Mark.Name(), seal.Description(r)
	bare := r
	bare.Mark = api.Mark{}
	elsewhere, table := bare, bare
	elsewhere.Destination = netip.MustParsePrefix("10.0.1.0/24")
	table.Table = "vtb-2"
	other := r
	other.Mark.Host = "i-b"
	unkeyed := api.Seal{}
	for _, tc := range []struct {
		what              string
		seal              api.Seal
		at                api.Route
		name, description string
		owned, spoiled    bool
	}{
		{"intact", seal, bare, name, description, true, false},
		{"of the old key", seal, bare, name, api.NewSeal("old").Description(r), true, false},
		{"without a key", unkeyed, bare, name, unkeyed.Description(r), true, false},
		{"of another key", api.NewSeal("another"), bare, name, description, false, true},
		{"of no key", seal, bare, name, unkeyed.Description(r), false, true},
		{"copied to another destination", seal, elsewhere, name, description, false, true},
		{"copied to another table", seal, table, name, description, false, true},
		{"no description", seal, bare, name, "", false, true},
		{"no name", seal, bare, "", description, false, true},
		{"another host's description", seal, bare, name, seal.Description(other), false, true},
		{"another host's name", seal, bare, other.Mark.Name(), description, false, true},
		{"a longer name", seal, bare, name + " ", description, false, true},
		{"a longer description", seal, bare, name, description + ";x=1", false, true},
		{"fields in another order", seal, bare, name, strings.Replace(description, "v=2;cluster=prod", "cluster=prod;v=2", 1), false, true},
		{"an edited generation", seal, bare, name, strings.Replace(description, "g=7", "g=8", 1), false, true},
		{"no host", seal, bare, "sealane/prod/", strings.Replace(description, "host=i-a", "host=", 1), false, true},
		{"somebody else's", seal, bare, "nat", "made by hand", false, false},
		{"nothing", seal, bare, "", "", false, false},
	} {
		got := tc.seal.Open(tc.at, tc.name, tc.description)
		if got.OwnedBy("prod") != tc.owned || got.Spoiled != tc.spoiled {
			t.Errorf("%s: owned %t, spoiled %t; want %t, %t", tc.what, got.OwnedBy("prod"), got.Spoiled, tc.owned, tc.spoiled)
		}
		if stale := tc.what == "of the old key"; got.Stale != stale {
			t.Errorf("%s: stale %t, want %t", tc.what, got.Stale, stale)
		}
		if tc.owned && got.Mark != r.Mark {
			t.Errorf("%s: mark %+v", tc.what, got.Mark)
		}
	}
	if (api.Route{}).OwnedBy("") {
		t.Error("a route without a mark is nobody's, not the nameless cluster's")
	}
}

func TestMarkFitsTheCloud(t *testing.T) {
	longest := api.Mark{Cluster: strings.Repeat("c", 40), Host: api.InstanceID("i-" + strings.Repeat("x", 62))}
	if n := len(longest.Name()); n > 128 {
		t.Errorf("name of %d characters, the API takes 128", n)
	}
	longest.Generation = math.MaxInt64
	if n := len(api.NewSeal("key").Description(api.Route{Mark: longest})); n > 256 {
		t.Errorf("description of %d characters, the API takes 256", n)
	}
}

func TestDeletesIDNamesTheSet(t *testing.T) {
	change := func(host string) api.Change {
		return api.Change{Verb: api.Delete, Route: api.Route{Table: "vtb-1", Destination: prefix("10.0.0.0/24"), NextHop: host}, Reason: api.ReasonHostGone}
	}
	held := func(c api.Change) api.Held { return api.Held{Change: c, Reason: api.ReasonDeleteBudget} }
	a := api.Plan{Changes: []api.Change{change("i-a")}}
	if id := (api.Plan{Held: []api.Held{held(change("i-a"))}}).DeletesID(); id != a.DeletesID() || id == "" {
		t.Errorf("held or not, the same deletes have the same id: %q, %q", id, a.DeletesID())
	}
	if (api.Plan{Changes: []api.Change{change("i-b")}}).DeletesID() == a.DeletesID() {
		t.Error("other deletes must have another id")
	}
	if id := (api.Plan{Changes: []api.Change{{Verb: api.Create}}}).DeletesID(); id != "" {
		t.Errorf("nothing is deleted, yet there is an id: %s", id)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	good := api.DefaultConfig()
	good.Pools = []netip.Prefix{prefix("10.0.0.0/8")}
	if err := good.Validate(); err != nil {
		t.Errorf("got %v", err)
	}
	for want, broken := range map[string]func(*api.Config){
		"none given":                      func(c *api.Config) { c.Pools = nil },
		"is not a prefix":                 func(c *api.Config) { c.Pools = []netip.Prefix{prefix("::ffff:10.0.0.0/104")} },
		"manage: \"firewall\" is none of": func(c *api.Config) { c.Manage = []api.Manage{"firewall"} },
		"did you mean 10.0.0.0/8":         func(c *api.Config) { c.Pools = []netip.Prefix{prefix("10.1.0.0/8")} },
		"policy: \"all\" is none of":      func(c *api.Config) { c.Policy = "all" },
		"sourceMode: \"drop\" is none of": func(c *api.Config) { c.SourceMode = "drop" },
		"maxDeletes must be":              func(c *api.Config) { c.Guard.MaxDeletes = -1 },
		"maxDeleteShare between 0 and 1":  func(c *api.Config) { c.Guard.MaxDeleteShare = 1.5 },
	} {
		c := good
		broken(&c)
		if err := c.Validate(); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ...%s...", err, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for err, want := range map[error]int{
		nil: 0, errors.New("any"): 1, api.ErrInvalid: 1, api.ErrUsage: 2, api.ErrTimeout: 3,
		api.ErrRefused: 4, api.ErrQuota: 4, api.ErrUnreachable: 5, fmt.Errorf("wait: %w", api.ErrTimeout): 3,
	} {
		if got := api.ExitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestKindsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range api.Kinds() {
		if seen[kind.Error()] {
			t.Errorf("two kinds read %q: the wire could not tell them apart", kind)
		}
		seen[kind.Error()] = true
	}
}

// TestReasonsAreClosed finds every constant of type Reason in the source: each must have its sentence.
func TestReasonsAreClosed(t *testing.T) {
	declared := constants(t, "reason.go", "Reason")
	sentences := api.Reasons()
	for _, reason := range declared {
		if sentences[api.Reason(reason)] == "" {
			t.Errorf("reason %s has no sentence", reason)
		}
	}
	if len(declared) != len(sentences) {
		t.Errorf("%d reasons are declared, %d have a sentence", len(declared), len(sentences))
	}
}

func TestFindingCodesAreUnique(t *testing.T) {
	codes := constants(t, "finding.go", "Code")
	slices.Sort(codes)
	if len(codes) < 10 || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Errorf("codes %v", codes)
	}
}

// constants returns the values of the string constants of a type.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		name, isType := v.Type.(*ast.Ident)
		value, isText := v.Values[0].(*ast.BasicLit)
		if isType && isText && name.Name == typ {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		return true
	})
	return out
}

func TestComparePrefixes(t *testing.T) {
	in := []netip.Prefix{prefix("10.1.0.0/24"), prefix("10.0.0.0/24"), prefix("10.0.0.0/16"), prefix("9.0.0.0/8")}
	slices.SortFunc(in, api.ComparePrefixes)
	if got := fmt.Sprint(in); got != "[9.0.0.0/8 10.0.0.0/16 10.0.0.0/24 10.1.0.0/24]" {
		t.Errorf("got %s", got)
	}
}
