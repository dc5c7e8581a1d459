package metadata_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

const (
	tokenPath = "/latest/api/token"
	ttl       = "X-aliyun-ecs-metadata-token-ttl-seconds"
	token     = "X-aliyun-ecs-metadata-token"
)

func TestMetadataKnowsTheInstanceByItsAddress(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for path, want := range map[string]string{
		"instance-id": "i-3", "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-h", "vpc-id": "vpc-1", "vswitch-id": "vsw-2",
		"vpc-cidr-block": "192.168.0.0/16", "vswitch-cidr-block": "192.168.16.0/20", "private-ipv4": "192.168.16.13",
		"mac": "02:16:c0:a8:10:0d", "owner-account-id": "1000000000000001", "network-type": "vpc",
		"network/interfaces/macs/":                                       "02:16:c0:a8:10:0d/",
		"network/interfaces/macs/02:16:c0:a8:10:0d/network-interface-id": "eni-3",
		"network/interfaces/macs/02:16:c0:a8:10:0d/netmask":              "255.255.240.0",
		"network/interfaces/macs/02:16:c0:a8:10:0d/gateway":              "192.168.31.253",
	} {
		if code, got := simtest.AskFrom(sim, "192.168.16.13", "GET", simtest.MetaData+path); code != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", path, code, got, want)
		}
	}
	for ip, path := range map[string]string{"192.168.16.13": simtest.MetaData + "no-such-thing", "192.168.16.99": simtest.MetaData + "instance-id"} {
		if code, _ := simtest.AskFrom(sim, ip, "GET", path); code != http.StatusNotFound {
			t.Errorf("%s from %s: %d, want 404", path, ip, code)
		}
	}
}

func TestMetadataToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[0].HTTPTokens = "required" })
		const one, two = "192.168.0.11", "192.168.0.12"
		status := func(ip string, header ...string) int {
			code, _ := simtest.AskFrom(sim, ip, "GET", simtest.MetaData+"instance-id", header...)
			return code
		}
		code, pass := simtest.AskFrom(sim, one, "PUT", tokenPath, ttl, "60")
		if code != 200 || pass == "" {
			t.Fatalf("token: %d %q", code, pass)
		}
		for _, tt := range []struct {
			name string
			got  int
			want int
		}{
			{"required and none", status(one), 403},
			{"required and good", status(one, token, pass), 200},
			{"required and wrong", status(one, token, "x"), 403},
			{"optional and none", status(two), 200},
			{"optional and of another instance", status(two, token, pass), 403},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, tt.got, tt.want)
			}
		}
		for _, header := range [][]string{{}, {ttl, "0"}, {ttl, "21601"}, {ttl, "60", "X-Forwarded-For", "10.0.0.1"}} {
			if code, _ := simtest.AskFrom(sim, one, "PUT", tokenPath, header...); code < 400 {
				t.Errorf("token with headers %v: %d", header, code)
			}
		}
		time.Sleep(time.Minute)
		if got := status(one, token, pass); got != 403 {
			t.Errorf("after its time: %d", got)
		}
	})
}

func TestIdentityDocumentIsOneLine(t *testing.T) {
	code, got := simtest.AskFrom(simtest.New(t, alisim.Options{}), "192.168.0.11", "GET", "/latest/dynamic/instance-identity/document")
	want := `{"zone-id":"cn-hangzhou-h","serial-number":"00000000-0000-4000-8000-0000c0a8000b","instance-id":"i-1",` +
		`"region-id":"cn-hangzhou","private-ipv4":"192.168.0.11","owner-account-id":"1000000000000001",` +
		`"mac":"02:16:c0:a8:00:0b","image-id":"aliyun_3_x64_20G_alibase_sim.vhd","instance-type":"ecs.g7.large"}`
	if code != 200 || got != want {
		t.Errorf("%d\n%s", code, cmp.Diff(want, got))
	}
}

func TestRoleCredentialsSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := alisim.Example()
		seed.Instances[0].Role = "controller"
		sim, err := alisim.New(seed, alisim.Options{SessionTime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		const one, role = "192.168.0.11", simtest.MetaData + "ram/security-credentials/"
		if _, got := simtest.AskFrom(sim, one, "GET", role); got != "controller" {
			t.Errorf("role is %q", got)
		}
		if code, _ := simtest.AskFrom(sim, "192.168.0.12", "GET", role); code != 404 {
			t.Errorf("instance without a role: %d", code)
		}
		get := func() (key map[string]string) {
			_, text := simtest.AskFrom(sim, one, "GET", role+"controller")
			if err := json.Unmarshal([]byte(text), &key); err != nil {
				t.Fatal(err)
			}
			return key
		}
		key := get()
		if key["Code"] != "Success" || get()["AccessKeyId"] != key["AccessKeyId"] {
			t.Errorf("credentials: %v", key)
		}
		ask := func(token string) string {
			return simtest.Do(t, sim, simtest.SignedBy(key["AccessKeyId"], key["AccessKeySecret"], token)).Code()
		}
		if got := ask(""); got != "MissingSecurityToken" {
			t.Errorf("no token: %q", got)
		}
		if got := ask("other"); got != "InvalidSecurityToken.MismatchWithAccessKey" {
			t.Errorf("other token: %q", got)
		}
		if got := ask(key["SecurityToken"]); got != "" {
			t.Errorf("good: %q", got)
		}
		time.Sleep(time.Hour)
		if got := ask(key["SecurityToken"]); got != "InvalidSecurityToken.Expired" {
			t.Errorf("expired: %q", got)
		}
		if get()["AccessKeyId"] == key["AccessKeyId"] {
			t.Error("the expired key is given out again")
		}
	})
}

func TestNoTwoInstancesShareAnAddress(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	err := sim.AddInstance(alisim.Instance{ID: "i-9", VSwitch: "vsw-1", IP: netip.MustParseAddr("192.168.0.11")})
	if err == nil {
		t.Error("a second instance got the same address")
	}
}
