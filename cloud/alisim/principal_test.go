package alisim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

const onlyFirstTable = `{"Version":"1","Statement":[{"Effect":"Allow","Action":["vpc:CreateRouteEntry","vpc:CreateRouteEntries","vpc:DeleteRouteEntry"],` +
	`"Resource":["acs:vpc:cn-hangzhou:1000000000000001:routetable/vtb-1"]}]}`

// as sends a signed call with these parameters.
func as(t *testing.T, sim *alisim.Sim, id, secret string, with args) answered {
	t.Helper()
	r := signWith(secret, func(v url.Values) {
		v.Set("AccessKeyId", id)
		v.Set("SignatureNonce", t.Name()+with["Action"]+with["RouteTableId"]+with["RouteEntryId"]+with["DestinationCidrBlock"])
		for name, value := range with {
			v.Set(name, value)
		}
	})
	return do(t, sim, r)
}

func TestPolicyDecides(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = []alisim.Key{{ID: "testid", Secret: "testsecret", User: "writer", Policy: onlyFirstTable}, {ID: "owner", Secret: "ownersecret"}}
	})
	call := func(action string, with args) answered {
		with["Action"] = action
		return as(t, sim, "testid", "testsecret", with)
	}
	allowed := call("CreateRouteEntry", entry("172.20.1.0/24"))
	if allowed.code() != "" {
		t.Fatal(allowed.body)
	}
	other := entry("172.20.1.0/24")
	other["RouteTableId"] = "vtb-2"
	sim.Fault(alisim.Fault{Name: "never", Action: "CreateRouteEntry", Code: "InternalError"})
	a := call("CreateRouteEntry", other)
	got := []any{a.status, a.code()}
	for _, name := range []string{"AuthAction", "AuthPrincipalType", "AuthPrincipalDisplayName", "NoPermissionType", "AuthPrincipalOwnerId"} {
		got = append(got, a.at("AccessDeniedDetail", name))
	}
	want := []any{http.StatusForbidden, "Forbidden.RAM", "vpc:CreateRouteEntry", "SubUser", "writer", "ImplicitDeny", "1000000000000001"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sim.Hits("never") != 0 {
		t.Error("a call that is not permitted met a fault")
	}
	sim.ClearFaults()
	if a := call("DescribeVpcs", args{}); a.code() != "Forbidden.RAM" {
		t.Errorf("a call that the policy does not name: %v", a.body)
	}
	mixed := batch("vtb-1 172.20.3.0/24 i-1", "vtb-2 172.20.3.0/24 i-1")
	if a := call("CreateRouteEntries", mixed); a.code() != "Forbidden.RAM" {
		t.Errorf("a batch of which one item is not permitted: %v", a.body)
	}
	// The cloud knows the table of an entry that is named alone.
	if a := call("DeleteRouteEntry", args{"RouteEntryId": allowed.at("RouteEntryId").(string)}); a.code() != "" {
		t.Errorf("delete by id: %v", a.body)
	}
	if a := as(t, sim, "owner", "ownersecret", args{"Action": "DescribeVpcs"}); a.code() != "" {
		t.Errorf("the account's own key: %v", a.body)
	}
	if err := sim.SetPolicy("testid", ""); err != nil {
		t.Fatal(err)
	}
	if a := call("DescribeVSwitches", args{"VpcId": "vpc-1"}); a.code() != "" {
		t.Errorf("without a policy: %v", a.body)
	}
	if sim.SetPolicy("nobody", "") == nil || sim.SetPolicy("testid", "{") == nil {
		t.Error("a policy of nobody, or that is none, was taken")
	}
}

func TestCallerIsIdentified(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = []alisim.Key{
			{ID: "root", Secret: "s"}, {ID: "user", Secret: "s", User: "reader", Policy: onlyFirstTable}, {ID: "off", Secret: "s", Disabled: true},
		}
	})
	for key, want := range map[string][]any{
		"root": {"acs:ram::1000000000000001:root", "Account"}, "user": {"acs:ram::1000000000000001:user/reader", "RAMUser"},
	} {
		a := as(t, sim, key, "s", args{"Action": "GetCallerIdentity", "Version": "2015-04-01"})
		if diff := cmp.Diff(want, []any{a.at("Arn"), a.at("IdentityType")}); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if a := as(t, sim, "off", "s", args{"Action": "DescribeVpcs"}); a.code() != "InvalidAccessKeyId.Inactive" {
		t.Errorf("disabled key: %v", a.body)
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
	write("first.json", onlyFirstTable)
	path := write("seed.yaml", `
keys:
- {id: k, secret: s, policyFile: first.json}
roles:
- name: reader
  policy: {Version: "1", Statement: [{Effect: Allow, Action: "vpc:Describe*", Resource: "*"}]}
vpcs: []
`)
	seed, err := alisim.LoadSeedFile(path)
	if err != nil || seed.Keys[0].Policy != onlyFirstTable || !strings.Contains(string(seed.Roles[0].Policy), `"vpc:Describe*"`) {
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
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) {
		s.Keys = alisim.Example().Keys
		s.Instances[0].Role = "writer"
		s.Roles = []alisim.Role{{Name: "writer", Policy: onlyFirstTable}}
	})
	_, text := from(sim, "192.168.0.11", "GET", metaData+"ram/security-credentials/writer")
	var key struct{ AccessKeyId, AccessKeySecret, SecurityToken string }
	if err := json.Unmarshal([]byte(text), &key); err != nil {
		t.Fatal(err)
	}
	with := entry("172.20.1.0/24")
	with["Action"], with["SecurityToken"] = "CreateRouteEntry", key.SecurityToken
	if a := as(t, sim, key.AccessKeyId, key.AccessKeySecret, with); a.code() != "" {
		t.Errorf("what the role may: %v", a.body)
	}
	a := as(t, sim, key.AccessKeyId, key.AccessKeySecret, args{"Action": "DescribeVpcs", "SecurityToken": key.SecurityToken})
	got := []any{a.code(), a.at("AccessDeniedDetail", "AuthPrincipalType"), a.at("AccessDeniedDetail", "AuthPrincipalDisplayName")}
	if diff := cmp.Diff([]any{"Forbidden.RAM", "AssumedRoleUser", "writer:i-1"}, got); diff != "" {
		t.Error(diff)
	}
	who := as(t, sim, key.AccessKeyId, key.AccessKeySecret, args{"Action": "GetCallerIdentity", "Version": "2015-04-01", "SecurityToken": key.SecurityToken})
	if who.at("Arn") != "acs:ram::1000000000000001:assumed-role/writer/i-1" {
		t.Errorf("identity: %v", who.body)
	}
	role, _ := who.at("RoleId").(string)
	if _, told := who.body["UserId"]; told || role == "" || who.at("PrincipalId") != role+":i-1" {
		t.Errorf("a role is %v", who.body)
	}
}
