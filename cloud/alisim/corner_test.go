package alisim_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

func TestMetadataListsDirectories(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[0].Role = "controller" })
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
		if status, got := from(sim, "192.168.0.11", "GET", metaData+path); status != http.StatusOK || got != want {
			t.Errorf("%q: %d\n%s\nwant\n%s", path, status, got, want)
		}
	}
	for _, path := range []string{"nothing", "nothing/", "mac/x", "ram/security-credentials/other"} {
		if status, got := from(sim, "192.168.0.11", "GET", metaData+path); status != http.StatusNotFound {
			t.Errorf("%q: %d %s", path, status, got)
		}
	}
}

func TestDisabledMetadataGivesNoToken(t *testing.T) {
	sim := newSim(t, alisim.Options{}, func(s *alisim.Seed) { s.Instances[0].HTTPEndpoint = "disabled" })
	status, _ := from(sim, "192.168.0.11", "PUT", "/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "60")
	if status != http.StatusForbidden {
		t.Errorf("token: %d", status)
	}
}

func TestEndpointsHaveTheSchemeOfTheCall(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	for want, state := range map[string]*tls.ConnectionState{"HTTP": nil, "HTTPS": {}} {
		r := httptest.NewRequest(http.MethodGet, "/?Action=DescribeEndpoints&Version=2015-06-12&ServiceCode=vpc", nil)
		r.TLS = state
		if got := do(t, sim, r).at("Endpoints", "Endpoint", 0, "Protocols", "Protocols", 0); got != want {
			t.Errorf("protocol %v, want %s", got, want)
		}
	}
}

func TestIPv4InTheClothesOfIPv6(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	bad(t, sim, "CreateRouteEntry", entry("::ffff:10.1.0.0/112"), "IllegalParam.CidrBlock")
}

func TestNullIsNoList(t *testing.T) {
	sim := newSim(t, alisim.Options{})
	for action, name := range map[string]string{"DescribeInstances": "InstanceIds", "DescribeSecurityGroups": "SecurityGroupIds"} {
		if got := askECS(t, sim, action, args{name: "null"}); got.code() != "InvalidParameter" {
			t.Errorf("%s %s=null: %v", action, name, got.body)
		}
		if got := askECS(t, sim, action, args{name: "[]"}); got.status != http.StatusOK {
			t.Errorf("%s %s=[]: %v", action, name, got.body)
		}
	}
}
