// Package policy has no code: it holds RAM policy documents, and tests that hold them to
// what the provider really calls.
package policy

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/ram"
)

// requests are what an operation asks where everything is permitted.
func requests(t *testing.T, name string) []alisim.Request {
	t.Helper()
	r := newRig(t, "")
	if err := operations()[name](t.Context(), r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r.sim.Requests()
}

// calls are these requests as far as permissions go.
func calls(t *testing.T, name string) []ram.Call {
	t.Helper()
	fresh := newRig(t, "").sim
	var list []ram.Call
	for _, q := range requests(t, name) {
		list = append(list, callOf(fresh, q))
	}
	return list
}

// callOf is a request that a simulator gets before anything was changed.
func callOf(sim *alisim.Sim, q alisim.Request) ram.Call {
	product := map[string]string{"2016-04-28": "vpc", "2014-05-26": "ecs", "2015-04-01": "sts"}[q.Version]
	return ram.Call{
		Product: product, Action: q.Action, Region: region, Account: account, Params: q.Params,
		TableOf: func(entry string) string {
			for _, table := range tables() {
				for _, r := range sim.Routes(table) {
					if r.ID == entry {
						return table
					}
				}
			}
			return ""
		},
	}
}

func actions(list []ram.Call) map[string]bool {
	set := map[string]bool{}
	for _, c := range list {
		set[c.Product+":"+c.Action] = true
	}
	return set
}

// Each operation passes with the policy for it and the one to observe, which everything
// needs that reads back, and with no other.
func TestOperationsPass(t *testing.T) {
	for name, operate := range operations() {
		t.Run(name, func(t *testing.T) {
			if err := operate(t.Context(), newRig(t, attached(t, observe, name))); err != nil {
				t.Error(err)
			}
		})
	}
}

// The others do not make up for a document that is missing.
func TestOperationsAreRefused(t *testing.T) {
	for name, operate := range operations() {
		t.Run(name, func(t *testing.T) {
			others := slices.DeleteFunc(slices.Sorted(maps.Keys(operations())), func(other string) bool { return other == name })
			r := newRig(t, attached(t, others...))
			err := operate(t.Context(), r)
			if !errors.Is(err, api.ErrDenied) || !strings.Contains(err.Error(), "Forbidden.RAM") {
				t.Errorf("got %v, want ErrDenied by Forbidden.RAM", err)
			}
		})
	}
}

// Every call that is made is permitted by one document alone, and every document permits
// what is called and no more.
func TestEachActionHasOnePolicy(t *testing.T) {
	reads := actions(calls(t, observe))
	var all []ram.Call
	own := map[string]map[string]bool{observe: reads}
	for name := range operations() {
		list := calls(t, name)
		all = append(all, list...)
		if name != observe {
			own[name] = actions(list)
			maps.DeleteFunc(own[name], func(action string, _ bool) bool { return reads[action] })
		}
	}
	for name, want := range own {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), granted(t, name)); diff != "" {
			t.Errorf("%s does not grant what is called (-called +granted):\n%s", name, diff)
		}
		p := policyOf(t, name)
		for _, c := range all {
			if ok, why := p.Permits(c); ok != want[c.Product+":"+c.Action] {
				t.Errorf("%s: %s:%s: permitted is %t: %s", name, c.Product, c.Action, ok, why)
			}
		}
	}
}

// A call that no operation of this test makes would be missing from every document without a
// word: so whatever the provider's code can ask must have been asked.
func TestEveryCallIsMade(t *testing.T) {
	made := map[string]bool{}
	for name := range operations() {
		maps.Copy(made, actions(calls(t, name)))
	}
	files, err := filepath.Glob("../../cloud/alicloud/*.go")
	rooms, err2 := filepath.Glob("../../cloud/alicloud/*/*.go")
	if files = append(files, rooms...); err != nil || err2 != nil || len(rooms) == 0 {
		t.Fatalf("%d files of the provider, %v, %v", len(files), err, err2)
	}
	written := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b(vpc|ecs)\.Create(\w+)Request\(\)`).FindAllStringSubmatch(string(text), -1) {
			written[m[1]+":"+m[2]] = true
		}
	}
	if diff := cmp.Diff(written, made); diff != "" {
		t.Errorf("the operations of this test leave out what the provider can ask (-written +asked):\n%s", diff)
	}
}

// granted are the actions that a document names. None of them is a pattern.
func granted(t *testing.T, name string) []string {
	t.Helper()
	var document struct {
		Statement []struct {
			Effect string
			Action []string
		}
	}
	if err := json.Unmarshal(filled(t, name), &document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var list []string
	for _, s := range document.Statement {
		list = append(list, s.Action...)
	}
	if text := strings.Join(list, " "); strings.Contains(text, "*") {
		t.Errorf("%s: a pattern grants what nobody calls: %s", name, text)
	}
	slices.Sort(list)
	return list
}

// Elsewhere nothing is permitted: neither another table, nor another region or account.
func TestPinned(t *testing.T) {
	for _, name := range []string{write, remove} {
		p := policyOf(t, name)
		for _, c := range calls(t, name) {
			if ok, _ := p.Permits(c); !ok {
				continue // a read
			}
			other := c
			other.TableOf = func(string) string { return "vtb-9" }
			other.Params = maps.Clone(c.Params)
			for key := range other.Params {
				if strings.HasSuffix(key, "RouteTableId") {
					other.Params[key] = "vtb-9"
				}
			}
			region, account := c, c
			region.Region, account.Account = "cn-beijing", "2"
			for _, c := range []ram.Call{other, region, account} {
				if ok, why := p.Permits(c); ok {
					t.Errorf("%s: %s in %s of %s: %s", name, c.Action, c.Region, c.Account, why)
				}
			}
		}
	}
}

// A key that may open a group to the containers must not open it to the world.
func TestSecurityGroupOpensToThePoolOnly(t *testing.T) {
	p := policyOf(t, securityGroup)
	c := ram.Call{Product: "ecs", Action: "AuthorizeSecurityGroup", Region: region, Account: account, Params: map[string]string{
		"SecurityGroupId": group, "Permissions.1.SourceCidrIp": pool().String(), "Permissions.1.IpProtocol": "ALL",
	}}
	if ok, why := p.Permits(c); !ok {
		t.Error(why)
	}
	c.Params["Permissions.2.SourceCidrIp"] = "0.0.0.0/0"
	if ok, why := p.Permits(c); ok {
		t.Error(why)
	}
}

// Every document is tried, and the README tells of each.
func TestEveryDocument(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(operations())), files); diff != "" {
		t.Errorf("(-tried +there):\n%s", diff)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md does not tell of %s", name)
		}
	}
}
