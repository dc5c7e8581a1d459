package registry

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealane/sealane/api"
)

func TestUnreadableRecords(t *testing.T) {
	for _, test := range []struct{ key, value, problem string }{
		{"hosts/i-a", ``, "not a record"},
		{"hosts/i-a", `[]`, "not a record"},
		{"hosts/i-a", `null`, "no version"},
		{"hosts/i-a", `{"instance":"i-a","ip":""}`, "no version"},
		{"hosts/i-a", `{"v":0,"instance":"i-a"}`, "no version"},
		{"hosts/i-a", `{"v":2,"instance":"i-a"}`, "version 2, only 1 is known here"},
		{"hosts/i-a", `{"v":1,"instance":"i-b"}`, `names instance "i-b"`},
		{"hosts/i-a", `{"v":1,"instance":"i-a","ip":"x"}`, "not a record"},
		{"hosts/i-a", `{"v":1,"instance":"i-a","subnets":[{"prefix":"10.0.0.1/24"}]}`, "10.0.0.1/24 has host bits set"},
		{"hosts/i-a", `{"v":1,"instance":"i-a","subnets":[{}]}`, "a subnet without a prefix"},
		{"hosts/i-a", `{"v":1,"instance":"i-a","name":"` + strings.Repeat("a", recordLimit) + `"}`, "more than 65536"},
		{"alive/i-a", `{"v":1,"instance":"i-b"}`, `names instance "i-b"`},
		{"subnets/10.0.0.1_24", `{"v":1}`, "key: 10.0.0.1/24 has host bits set"},
		{"subnets/ten", `{"v":1}`, "key names no prefix"},
		{"subnets/10.0.0.0/24", `{"v":1}`, "key is not written as 10.0.0.0_24"},
		{"subnets/fd00::_64", `{"v":1}`, "key is not written as fd00:0000:0000:0000:0000:0000:0000:0000_64"},
		{"subnets/fd00::1_64", `{"v":1}`, "key: fd00::1/64 has host bits set"},
		{"subnets/fd00::%eth0_64", `{"v":1}`, "key names no prefix"},
		{"subnets/fd00:0000:0000:0000:0000:0000:0000:0000_64", `{"v":1,"prefix":"fd00::/65","instance":"i-a"}`, `names prefix "fd00::/65"`},
		{"subnets/10.0.0.0_24", `{"v":1,"prefix":"10.0.1.0/24","instance":"i-a"}`, `names prefix "10.0.1.0/24"`},
		{"subnets/10.0.0.0_24", `{"v":1,"prefix":"10.0.0.0/24"}`, "names no instance"},
		{"routes/10.0.0.0_24", `{"v":1,"destination":"10.0.1.0/24"}`, `names destination "10.0.1.0/24"`},
		{"config", `{"v":1,"policy":"full"}`, "pools: none given"},
		{"pass", `{"v":9}`, "version 9"},
	} {
		v := view{alive: map[string]presence{}, seen: map[string]bool{}}
		err := v.addRecord(record{key: test.key, value: []byte(test.value)})
		if err == nil || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s %.60s: %v, want %s", test.key, test.value, err, test.problem)
		}
		if s := v.whole(); len(s.Hosts)+len(s.Claims)+len(s.Routes) != 0 || s.Config != nil || s.Pass != nil {
			t.Errorf("%s %.60s was read all the same: %+v", test.key, test.value, s)
		}
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	got, err := decodeReport("i-a", []byte(`{"v":1,"instance":"i-a","colour":"blue"}`))
	if err != nil || got.Instance != "i-a" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEncode(t *testing.T) {
	got, err := encodeRecord("config", api.Claim{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Instance: "i-<a>"}, recordLimit)
	want := `{"v":1,"prefix":"10.0.0.0/24","instance":"i-<a>","since":"0001-01-01T00:00:00Z"}`
	if err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := encodeRecord("pass", api.Pass{Cloud: strings.Repeat("a", 100)}, 100); err == nil {
		t.Error("a record above the limit was encoded")
	}
}

func TestCommon(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.0.0.0/8": "10.", "10.16.0.0/12": "10.", "10.1.0.0/16": "10.1.",
		"10.1.2.0/24": "10.1.2.", "10.1.2.128/25": "10.1.2.", "10.1.2.3/32": "10.1.2.3_",
		"fd00::/32": "fd00:0000:", "fd00:1::/35": "fd00:0001:", "fd00:0:1000::/36": "fd00:0000:1", "fd00::1:2:0/112": "fd00:0000:0000:0000:0000:0001:0002:",
		"fd00:0:0:1::/64": "fd00:0000:0000:0001:", "fd00::1/128": "fd00:0000:0000:0000:0000:0000:0000:0001", "fd00::12/127": "fd00:0000:0000:0000:0000:0000:0000:001",
	} {
		if got := commonKey(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("common(%s) is %q, want %q", prefix, got, want)
		}
	}
}

// TestKeysInside holds over many prefixes that a key reads back as what it was written for,
// and that a key begins with what a prefix around it has in common, and no other key does.
func TestKeysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() netip.Prefix {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.IntN(3)) << r.IntN(8) // many zeros, which IPv6 would leave out
		}
		if r.IntN(2) == 0 {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), 8+r.IntN(25)).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom16(b), 32+r.IntN(97)).Masked()
	}
	for range 20000 {
		p, q := random(), random()
		if r.IntN(2) == 0 { // one around it
			q = netip.PrefixFrom(p.Addr(), shortestBits(p)+r.IntN(p.Bits()-shortestBits(p)+1)).Masked()
		}
		if got, err := parsePrefixKey(prefixKey(p)); err != nil || got != p {
			t.Fatalf("key %s reads as %s, %v", prefixKey(p), got, err)
		}
		inside := q.Bits() <= p.Bits() && q.Contains(p.Addr())
		if inside && !strings.HasPrefix(prefixKey(p), commonKey(q)) {
			t.Fatalf("%s is in %s, but its key %s does not begin with %q", p, q, prefixKey(p), commonKey(q))
		}
		unit := 8 // bits that the text of one element of a key stands for
		if !q.Addr().Is4() {
			unit = 4
		}
		whole := netip.PrefixFrom(q.Addr(), q.Bits()/unit*unit).Masked()
		if strings.HasPrefix(prefixKey(p), commonKey(q)) && !whole.Contains(p.Addr()) && whole.Bits() <= p.Bits() {
			t.Fatalf("%s is not in %s, but its key %s begins with %q", p, q, prefixKey(p), commonKey(q))
		}
	}
}

// FuzzDecode feeds records as a stranger may have written them. What is read must be the
// same after it is written and read again.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][2]string{
		{"hosts/i-a", `{"v":1,"instance":"i-a","ip":"192.168.0.1","subnets":[{"prefix":"10.0.0.0/24","bridge":"docker0"}]}`},
		{"alive/i-a", `{"v":1,"instance":"i-a","bootId":"b","since":"2026-01-01T00:00:00Z"}`},
		{"subnets/10.0.0.0_24", `{"v":1,"prefix":"10.0.0.0/24","instance":"i-a"}`},
		{"routes/10.0.0.0_24", `{"v":1,"destination":"10.0.0.0/24","tables":{"vtb-1":{"stage":"written"}}}`},
		{"config", `{"v":1,"pools":["10.0.0.0/8"],"policy":"full","sourceMode":"keep"}`},
		{"pass", `{"v":1,"plan":{"changes":[]}}`},
		{"hosts/i-a", `{"v":2}`},
		{"subnets/fd00:0000:0000:0000:0000:0000:0000:0000_64", `{"V":1,"prefix":"fd00::/64","instance":"x"}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	read := func(rec record) (api.Snapshot, error) {
		v := view{alive: map[string]presence{}, seen: map[string]bool{}}
		err := v.addRecord(rec)
		return v.whole(), err
	}
	compare := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		first, err := read(record{key: key, value: value})
		if err != nil {
			return
		}
		var again string
		switch {
		case len(first.Hosts) == 1:
			again, err = encodeRecord(key, first.Hosts[0].Report, 2*recordLimit)
		case len(first.Claims) == 1:
			again, err = encodeRecord(key, first.Claims[0], 2*recordLimit)
		case len(first.Routes) == 1:
			again, err = encodeRecord(key, first.Routes[0], 2*recordLimit)
		case first.Config != nil:
			again, err = encodeRecord(key, first.Config, 2*recordLimit)
		case first.Pass != nil:
			again, err = encodeRecord(key, first.Pass, 2*passLimit)
		default:
			return // presence
		}
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if len(again) > recordLimit {
			return
		}
		second, err := read(record{key: key, value: []byte(again)})
		if diff := cmp.Diff(first, second, compare); err != nil || diff != "" {
			t.Fatalf("%v, written as %s (-first +second):\n%s", err, again, diff)
		}
	})
}
