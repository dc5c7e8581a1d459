package call_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestPolicyDecides(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = []alisim.Key{{ID: "testid", Secret: "testsecret", User: "writer", Policy: simtest.OnlyFirstTable}, {ID: "owner", Secret: "ownersecret"}}
	})
	call := func(action string, with simtest.Args) simtest.Answer {
		with["Action"] = action
		return simtest.AskAs(t, sim, "testid", "testsecret", with)
	}
	allowed := call("CreateRouteEntry", simtest.EntryArgs("172.20.1.0/24"))
	if allowed.Code() != "" {
		t.Fatal(allowed.Body)
	}
	other := simtest.EntryArgs("172.20.1.0/24")
	other["RouteTableId"] = "vtb-2"
	sim.Fault(alisim.Fault{Name: "never", Action: "CreateRouteEntry", Code: "InternalError"})
	a := call("CreateRouteEntry", other)
	got := []any{a.Status, a.Code()}
	for _, name := range []string{"AuthAction", "AuthPrincipalType", "AuthPrincipalDisplayName", "NoPermissionType", "AuthPrincipalOwnerId"} {
		got = append(got, a.At("AccessDeniedDetail", name))
	}
	want := []any{http.StatusForbidden, "Forbidden.RAM", "vpc:CreateRouteEntry", "SubUser", "writer", "ImplicitDeny", "1000000000000001"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sim.Hits("never") != 0 {
		t.Error("a call that is not permitted met a fault")
	}
	sim.ClearFaults()
	if a := call("DescribeVpcs", simtest.Args{}); a.Code() != "Forbidden.RAM" {
		t.Errorf("a call that the policy does not name: %v", a.Body)
	}
	mixed := simtest.BatchArgs("vtb-1 172.20.3.0/24 i-1", "vtb-2 172.20.3.0/24 i-1")
	if a := call("CreateRouteEntries", mixed); a.Code() != "Forbidden.RAM" {
		t.Errorf("a batch of which one item is not permitted: %v", a.Body)
	}
	// The cloud knows the table of an entry that is named alone.
	if a := call("DeleteRouteEntry", simtest.Args{"RouteEntryId": allowed.At("RouteEntryId").(string)}); a.Code() != "" {
		t.Errorf("delete by id: %v", a.Body)
	}
	if a := simtest.AskAs(t, sim, "owner", "ownersecret", simtest.Args{"Action": "DescribeVpcs"}); a.Code() != "" {
		t.Errorf("the account's own key: %v", a.Body)
	}
	if err := sim.SetPolicy("testid", ""); err != nil {
		t.Fatal(err)
	}
	if a := call("DescribeVSwitches", simtest.Args{"VpcId": "vpc-1"}); a.Code() != "" {
		t.Errorf("without a policy: %v", a.Body)
	}
	if sim.SetPolicy("nobody", "") == nil || sim.SetPolicy("testid", "{") == nil {
		t.Error("a policy of nobody, or that is none, was taken")
	}
}

func TestCallerIsIdentified(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = []alisim.Key{
			{ID: "root", Secret: "s"}, {ID: "user", Secret: "s", User: "reader", Policy: simtest.OnlyFirstTable}, {ID: "off", Secret: "s", Disabled: true},
		}
	})
	for key, want := range map[string][]any{
		"root": {"acs:ram::1000000000000001:root", "Account"}, "user": {"acs:ram::1000000000000001:user/reader", "RAMUser"},
	} {
		a := simtest.AskAs(t, sim, key, "s", simtest.Args{"Action": "GetCallerIdentity", "Version": "2015-04-01"})
		if diff := cmp.Diff(want, []any{a.At("Arn"), a.At("IdentityType")}); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if a := simtest.AskAs(t, sim, "off", "s", simtest.Args{"Action": "DescribeVpcs"}); a.Code() != "InvalidAccessKeyId.Inactive" {
		t.Errorf("disabled key: %v", a.Body)
	}
}

func TestSeedNamesPolicies(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("first.json", simtest.OnlyFirstTable)
	path := write("seed.yaml", `
keys:
- {id: k, secret: s, policyFile: first.json}
roles:
- name: reader
  policy: {Version: "1", Statement: [{Effect: Allow, Action: "vpc:Describe*", Resource: "*"}]}
vpcs: []
`)
	seed, err := alisim.LoadSeedFile(path)
	if err != nil || seed.Keys[0].Policy != simtest.OnlyFirstTable || !strings.Contains(string(seed.Roles[0].Policy), `"vpc:Describe*"`) {
		t.Errorf("%+v, %v", seed, err)
	}
	for name, text := range map[string]string{
		"both":   "keys:\n- {id: k, secret: s, policyFile: first.json, policy: '{}'}\n",
		"absent": "keys:\n- {id: k, secret: s, policyFile: none.json}\n",
		"none":   "roles:\n- {name: r, policy: '{\"Version\":\"2\"}'}\n",
	} {
		if _, err := alisim.LoadSeedFile(write("bad.yaml", text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPolicyOfARole(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = alisim.Example().Keys
		s.Instances[0].Role = "writer"
		s.Roles = []alisim.Role{{Name: "writer", Policy: simtest.OnlyFirstTable}}
	})
	_, text := simtest.AskFrom(sim, "192.168.0.11", "GET", simtest.MetaData+"ram/security-credentials/writer")
	var key struct{ AccessKeyId, AccessKeySecret, SecurityToken string }
	if err := json.Unmarshal([]byte(text), &key); err != nil {
		t.Fatal(err)
	}
	with := simtest.EntryArgs("172.20.1.0/24")
	with["Action"], with["SecurityToken"] = "CreateRouteEntry", key.SecurityToken
	if a := simtest.AskAs(t, sim, key.AccessKeyId, key.AccessKeySecret, with); a.Code() != "" {
		t.Errorf("what the role may: %v", a.Body)
	}
	a := simtest.AskAs(t, sim, key.AccessKeyId, key.AccessKeySecret, simtest.Args{"Action": "DescribeVpcs", "SecurityToken": key.SecurityToken})
	got := []any{a.Code(), a.At("AccessDeniedDetail", "AuthPrincipalType"), a.At("AccessDeniedDetail", "AuthPrincipalDisplayName")}
	if diff := cmp.Diff([]any{"Forbidden.RAM", "AssumedRoleUser", "writer:i-1"}, got); diff != "" {
		t.Error(diff)
	}
	who := simtest.AskAs(t, sim, key.AccessKeyId, key.AccessKeySecret, simtest.Args{"Action": "GetCallerIdentity", "Version": "2015-04-01", "SecurityToken": key.SecurityToken})
	if who.At("Arn") != "acs:ram::1000000000000001:assumed-role/writer/i-1" {
		t.Errorf("identity: %v", who.Body)
	}
	role, _ := who.At("RoleId").(string)
	if _, told := who.Body["UserId"]; told || role == "" || who.At("PrincipalId") != role+":i-1" {
		t.Errorf("a role is %v", who.Body)
	}
}
