package vpc_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestClientTokenOfACallUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{WriteTime: time.Second})
		first := simtest.EntryArgs("172.20.1.0/24")
		first["ClientToken"] = "once"
		other := simtest.EntryArgs("172.20.2.0/24")
		other["ClientToken"] = "once"
		go simtest.Ask(t, sim, "CreateRouteEntry", first)
		synctest.Wait()
		simtest.Bad(t, sim, "CreateRouteEntry", first, "LastTokenProcessing")
		simtest.Bad(t, sim, "CreateRouteEntry", other, "IdempotentParameterMismatch")
		time.Sleep(2 * time.Second)
		simtest.Good(t, sim, "CreateRouteEntry", first)
		simtest.ExpectEntries(t, sim, "one entry", "172.20.1.0/24 i-1 Available")
	})
}

func TestClientTokenOfAnAssociation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, alisim.Options{TaskTime: time.Second})
		with := simtest.Args{"RouteTableId": "vtb-2", "VSwitchId": "vsw-1", "ClientToken": "once"}
		simtest.Good(t, sim, "AssociateRouteTable", with)
		simtest.Bad(t, sim, "AssociateRouteTable", with, "LastTokenProcessing")
		time.Sleep(time.Second)
		simtest.Good(t, sim, "AssociateRouteTable", with)
	})
}

func TestClientTokenWithAnotherHopList(t *testing.T) {
	simtest.InBubble(t, func(t *testing.T, sim *alisim.Sim) {
		with := simtest.EntryArgs("172.20.1.0/24")
		with["ClientToken"] = "once"
		simtest.Good(t, sim, "CreateRouteEntry", with)
		time.Sleep(simtest.TaskTime)
		with["PrivateIpAddress"] = "192.168.0.11"
		simtest.Bad(t, sim, "CreateRouteEntry", with, "IdempotentParameterMismatch")
	})
}

func TestSessionsFollowTheSettings(t *testing.T) {
	sim := simtest.New(t, alisim.Options{SessionTime: time.Hour}, func(s *alisim.Seed) { s.Instances[0].Role = "controller" })
	get := func() (key map[string]string) {
		_, text := simtest.AskFrom(sim, "192.168.0.11", "GET", simtest.MetaData+"ram/security-credentials/controller")
		if err := json.Unmarshal([]byte(text), &key); err != nil {
			t.Fatal(err)
		}
		return key
	}
	long := get()
	sim.Tune(func(o *alisim.Options) { o.SessionTime = time.Minute })
	short := get()
	if until, err := time.Parse(time.RFC3339, short["Expiration"]); err != nil || time.Until(until) > time.Minute {
		t.Errorf("credentials hold until %s, %v", short["Expiration"], err)
	}
	// No key is in the seed, yet what the metadata service gave out is verified.
	for name, test := range map[string]struct{ id, secret, token, want string }{
		"the one before": {long["AccessKeyId"], long["AccessKeySecret"], long["SecurityToken"], ""},
		"the new one":    {short["AccessKeyId"], short["AccessKeySecret"], short["SecurityToken"], ""},
		"another token":  {short["AccessKeyId"], short["AccessKeySecret"], long["SecurityToken"], "InvalidSecurityToken.MismatchWithAccessKey"},
		"another secret": {short["AccessKeyId"], "guessed", short["SecurityToken"], "SignatureDoesNotMatch"},
		"an unknown key": {"STS.unknown", "guessed", "guessed", "InvalidAccessKeyId.NotFound"},
	} {
		if got := simtest.Do(t, sim, simtest.SignedBy(test.id, test.secret, test.token)).Code(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestHandsGiveNoIDTwice(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for _, id := range []string{"vpc-1", "vrt-1", "vtb-2", "vsw-1", "sg-1", "i-1", "eni-1", "192.168.0.11"} {
		if err := sim.AddTable("vpc-1", alisim.Table{ID: id}); err == nil {
			t.Errorf("a table %s was made", id)
		}
		if err := sim.AddVSwitch("vpc-1", alisim.VSwitch{ID: id, CIDR: netip.MustParsePrefix("192.168.64.0/24")}); err == nil {
			t.Errorf("a vSwitch %s was made", id)
		}
	}
	if err := sim.SetSecurityGroup("vpc-1", alisim.SecurityGroup{ID: "sg-1"}); err != nil {
		t.Errorf("replace a group: %v", err)
	}
	if err := sim.SetSecurityGroup("vpc-1", alisim.SecurityGroup{ID: "vtb-1"}); err == nil {
		t.Error("a group vtb-1 was made")
	}
}
