package machine

import "testing"

func TestMarks(t *testing.T) {
	for rules, want := range map[string]uint32{
		"-A X -m mark --mark 0x1/0x1 -j MARK --set-xmark 0x4000/0x4000":   0x4001,
		"-A X -j CONNMARK --restore-mark --nfmask 0xffff --ctmask 0xffff": 0xffff,
		"-A X -j CONNMARK --save-mark --nfmask 0xffffffff":                0,
		"-A X -m mark --mark 0x30":                                        0x30,
		"-A X -s 10.0.0.0/8 -j ACCEPT":                                    0,
	} {
		if have := textMarks(rules); have != want {
			t.Errorf("%s: %#x, want %#x", rules, have, want)
		}
	}
	for used, want := range map[uint32]uint32{0: 0x10000, 0x10000: 0x20000, 0xffff0000: 1, ^uint32(0): 0} {
		if have := freeMark(used); have != want {
			t.Errorf("free of %#x: %#x, want %#x", used, have, want)
		}
	}
}
