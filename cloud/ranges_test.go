package cloud_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/cloud"
)

func prefixes(text string) []netip.Prefix {
	var list []netip.Prefix
	for word := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParsePrefix(word))
	}
	return list
}

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		list, pool string
		want       bool
	}{
		{"", "10.0.0.0/8", false},
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"0.0.0.0/0", "10.0.0.0/8", true},
		{"10.0.0.0/9", "10.0.0.0/8", false},
		{"10.128.0.0/9 10.0.0.0/9", "10.0.0.0/8", true},
		{"10.0.0.0/9 10.128.0.0/10 10.192.0.0/11", "10.0.0.0/8", false},
		{"10.0.0.0/9 10.128.0.0/10 10.192.0.0/11 10.224.0.0/11", "10.0.0.0/8", true},
		{"10.0.0.0/16 10.0.0.0/8", "10.0.0.0/8", true},
		{"::/0", "10.0.0.0/8", false},
		{"fd00::/17 fd00:8000::/17", "fd00::/16", true},
		{"10.0.0.1/32", "10.0.0.1/32", true},
	} {
		if got := cloud.Covers(prefixes(test.list), netip.MustParsePrefix(test.pool)); got != test.want {
			t.Errorf("[%s] covers %s: %t, want %t", test.list, test.pool, got, test.want)
		}
	}
	if cloud.Covers(prefixes("0.0.0.0/0 ::/0"), netip.Prefix{}) {
		t.Error("what is not a range is never covered")
	}
}

func TestMinus(t *testing.T) {
	for _, test := range []struct{ from, list, want string }{
		{"10.0.0.0/8", "", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.0.0.0/8", ""},
		{"10.0.0.0/8", "11.0.0.0/8 ::/0", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.64.0.0/10", "10.0.0.0/10 10.128.0.0/9"},
		{"10.0.0.0/30", "10.0.0.1/32 10.0.0.2/32", "10.0.0.0/32 10.0.0.3/32"},
		{"fd00::/126", "fd00::2/128", "fd00::/127 fd00::3/128"},
	} {
		got := strings.Trim(fmt.Sprint(cloud.Minus(netip.MustParsePrefix(test.from), prefixes(test.list))), "[]")
		if got != test.want {
			t.Errorf("%s minus [%s]: %s, want %s", test.from, test.list, got, test.want)
		}
	}
}

func TestHalves(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.0/24": "10.0.0.0/25 10.0.0.128/25", "10.0.0.0/8": "10.0.0.0/9 10.128.0.0/9", "10.0.0.6/31": "10.0.0.6/32 10.0.0.7/32",
		"fd00::/64": "fd00::/65 fd00::8000:0:0:0/65",
	} {
		low, high := cloud.Halves(netip.MustParsePrefix(from))
		if got := low.String() + " " + high.String(); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}

// Address by address, in ranges small enough to look at each.
func TestRangesAddressByAddress(t *testing.T) {
	base := binary.BigEndian.Uint32([]byte{10, 0, 0, 0})
	small := rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "last")})
		return netip.PrefixFrom(a, rapid.IntRange(24, 32).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		from, list := small.Draw(t, "from"), rapid.SliceOfN(small, 0, 12).Draw(t, "list")
		rest := cloud.Minus(from, list)
		holes := 0
		for n := range uint32(256) {
			a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, base+n)))
			want := 0
			if from.Contains(a) && !within(list, a) {
				want = 1
				holes++
			}
			if got := count(rest, a); got != want {
				t.Fatalf("%s is in %d ranges of %v, want %d", a, got, rest, want)
			}
		}
		if got := cloud.Covers(list, from); got != (holes == 0) {
			t.Fatalf("covers: %t, though %d addresses are left", got, holes)
		}
	})
}

func within(list []netip.Prefix, a netip.Addr) bool { return count(list, a) > 0 }

func count(list []netip.Prefix, a netip.Addr) (n int) {
	for _, p := range list {
		if p.Contains(a) {
			n++
		}
	}
	return n
}
