package machine

import "testing"

func TestMarks(t *testing.T) {
	for used, want := range map[uint32]uint32{0: 0x10000, 0x10000: 0x20000, 0xffff0000: 1, ^uint32(0): 0} {
		if have := freeMark(used); have != want {
			t.Errorf("free of %#x: %#x, want %#x", used, have, want)
		}
	}
}
