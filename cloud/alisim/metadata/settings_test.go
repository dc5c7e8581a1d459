package metadata_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestMetadataOptions(t *testing.T) {
	sim := simtest.New(t, alisim.Options{LocalInstance: "i-2"})
	set := func(name, value string) {
		t.Helper()
		if a := simtest.AskECS(t, sim, "ModifyInstanceMetadataOptions", simtest.Args{"InstanceId": "i-2", name: value}); a.Code() != "" {
			t.Fatal(a.Body)
		}
	}
	ask := func() int {
		code, _ := simtest.AskFrom(sim, "127.0.0.1", "GET", simtest.MetaData+"instance-id")
		return code
	}
	if got := ask(); got != 200 {
		t.Errorf("from loopback: %d", got)
	}
	set("HttpTokens", "required")
	if got := ask(); got != 403 {
		t.Errorf("without a token: %d", got)
	}
	set("HttpTokens", "optional")
	set("HttpEndpoint", "disabled")
	if got := ask(); got != 403 {
		t.Errorf("disabled: %d", got)
	}
}

func TestSignatureOfTheDocument(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	const path = "/latest/dynamic/instance-identity/pkcs7"
	_, plain := simtest.AskFrom(sim, "192.168.0.11", "GET", path)
	_, bound := simtest.AskFrom(sim, "192.168.0.11", "GET", path+"?audience=nonce-1")
	if plain == "" || plain == bound || strings.Contains(plain, "-----") {
		t.Errorf("signatures %q and %q", plain, bound)
	}
	if code, _ := simtest.AskFrom(sim, "192.0.2.1", "GET", path); code != 404 {
		t.Errorf("a stranger gets %d", code)
	}
}

func TestMetadataListsDirectories(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[0].Role = "controller" })
	const mac = "02:16:c0:a8:00:0b"
	for path, want := range map[string]string{
		"": "dns-conf/\neipv4\nhostname\nimage-id\ninstance-id\ninstance/\nmac\nnetwork-type\nnetwork/\nowner-account-id\nprivate-ipv4\n" +
			"ram/\nregion-id\nserial-number\nvpc-cidr-block\nvpc-id\nvswitch-cidr-block\nvswitch-id\nzone-id",
		"dns-conf/": "nameservers", "network": "interfaces/", "instance/": "instance-type",
		"network/interfaces/macs/": mac + "/", "network/interfaces/macs": mac + "/",
		"ram/security-credentials": "controller", "ram/": "security-credentials/",
		"network/interfaces/macs/" + mac: "gateway\nnetmask\nnetwork-interface-id\nprimary-ip-address\nprivate-ipv4s\n" +
			"vpc-cidr-block\nvpc-id\nvswitch-cidr-block\nvswitch-id",
	} {
		if status, got := simtest.AskFrom(sim, "192.168.0.11", "GET", simtest.MetaData+path); status != http.StatusOK || got != want {
			t.Errorf("%q: %d\n%s\nwant\n%s", path, status, got, want)
		}
	}
	for _, path := range []string{"nothing", "nothing/", "mac/x", "ram/security-credentials/other"} {
		if status, got := simtest.AskFrom(sim, "192.168.0.11", "GET", simtest.MetaData+path); status != http.StatusNotFound {
			t.Errorf("%q: %d %s", path, status, got)
		}
	}
}

func TestDisabledMetadataGivesNoToken(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[0].HTTPEndpoint = "disabled" })
	status, _ := simtest.AskFrom(sim, "192.168.0.11", "PUT", "/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "60")
	if status != http.StatusForbidden {
		t.Errorf("token: %d", status)
	}
}

func TestInterfacesInMetadata(t *testing.T) {
	sim := simtest.New(t, alisim.Options{}, simtest.DualStack)
	const macs = "/latest/meta-data/network/interfaces/macs/"
	if _, got := simtest.AskFrom(sim, "192.168.0.21", "GET", macs); strings.Count(got, "\n") != 2 {
		t.Errorf("asked from a secondary address: %q", got)
	}
	_, got := simtest.AskFrom(sim, "192.168.0.11", "GET", macs+"02:16:c0:a8:00:15/network-interface-id")
	if got != "eni-b" {
		t.Errorf("interface %q", got)
	}
	if _, got = simtest.AskFrom(sim, "192.168.0.11", "GET", macs+"02:16:c0:a8:00:15/ipv6s"); got != "[2001:db8::21]" {
		t.Errorf("IPv6 %q", got)
	}
}
