package dockerd

import "testing"

func TestEnrolmentBack(t *testing.T) {
	former := `{"bridge-accept-fwmark": "0x2", "mtu": 1400}`
	e := enrolment{Former: &former, Left: `{"bridge-accept-fwmark": "0x2", "mtu": 1400, "allow-direct-routing": true}`}
	for _, tt := range []struct{ name, now, want string }{
		{"as we left it", e.Left, former},
		{"others changed something", `{"bridge-accept-fwmark": "0x2", "mtu": 9000, "allow-direct-routing": true}`, `{"bridge-accept-fwmark": "0x2", "mtu": 9000}`},
		{"others changed ours", `{"allow-direct-routing": false}`, `{"allow-direct-routing": false}`},
	} {
		have, err := e.back(&tt.now)
		if err != nil || *have != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.name, have, err, tt.want)
		}
	}
}
