package machine_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/agent/host"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api"
)

// TestSettingsFile is about what outlives a reboot.
func TestSettingsFile(t *testing.T) {
	settings := func(s settled) []string {
		return regexp.MustCompile(`(?m)^net.*$`).FindAllString(s.file(), -1)
	}
	filter, forward := "net.ipv4.conf.eth0.rp_filter = 2", "net.ipv4.ip_forward = 1"
	strict := func(t *testing.T) settled {
		s := newSettled(t)
		s.set("ipv4/conf/eth0/rp_filter 1")
		return s
	}
	four := func(s settled) host.Wish {
		w := s.wish()
		w.Locals = w.Locals[:1]
		return w
	}
	t.Run("ip_forward where Docker shields", func(t *testing.T) {
		s := strict(t)
		for _, step := range []struct {
			script string
			want   []string
		}{
			{"", []string{filter}},
			{"iptables -N DOCKER; iptables -P FORWARD DROP", []string{filter}},
			{"iptables -A DOCKER ! -i docker0 -o docker0 -j DROP", []string{filter, forward}},
			{"iptables -F; iptables -X DOCKER", []string{filter, forward}}, // as after a boot, before Docker
			{"iptables -N DOCKER", []string{filter}},
		} {
			shell(t, step.script)
			s.apply(four(s))
			if have := settings(s); !slices.Equal(have, step.want) {
				t.Errorf("after %q the file has %q, want %q", step.script, have, step.want)
			}
			if again := s.apply(four(s)); len(again) > 0 {
				t.Errorf("applied twice, repaired %v", again)
			}
		}
	})
	t.Run("not what was on before", func(t *testing.T) {
		s := strict(t)
		s.set("ipv4/ip_forward 1")
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		s.apply(four(s))
		if have := settings(s); !slices.Equal(have, []string{filter}) {
			t.Errorf("the file has %q, want %q", have, filter)
		}
	})
	t.Run("known after a reboot", func(t *testing.T) {
		s := strict(t)
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		before := dump(t)
		s.apply(s.wish())
		file := s.file()
		s.opts.StateDir = t.TempDir()
		if repairs := s.apply(s.wish()); len(repairs) > 0 || s.file() != file {
			t.Errorf("repaired %v, file\n%s", repairs, s.file())
		}
		s.opts.StateDir = t.TempDir()
		shell(t, "iptables -F; iptables -X DOCKER")
		s.restore()
		shell(t, "iptables -N DOCKER; iptables -A DOCKER ! -i docker0 -o docker0 -j DROP")
		if diff := cmp.Diff(before, dump(t)); diff != "" || s.file() != "" {
			t.Errorf("not as before (-before +after):\n%s%s", diff, s.file())
		}
	})
	t.Run("of somebody else", func(t *testing.T) {
		for _, foreign := range []string{"echo net.ipv4.ip_forward=0 >", "ln -s /dev/null"} {
			s := strict(t)
			shell(t, foreign+" "+s.opts.SysctlDir+"/60-sealane.conf")
			before := s.file()
			out := machine.New(s.opts).Apply(t.Context(), s.wish())
			if err := out.Failures[host.PartDropIn]; !errors.Is(err, api.ErrRefused) || len(out.Failures) != 1 || s.file() != before {
				t.Errorf("%s: %v", foreign, out.Err())
			}
			s.restore()
			if _, err := os.Lstat(s.opts.SysctlDir + "/60-sealane.conf"); err != nil || s.file() != before {
				t.Errorf("a foreign file was removed: %v", err)
			}
		}
	})
	t.Run("readable, and of this directory only", func(t *testing.T) {
		s := strict(t)
		s.apply(s.wish())
		info, err := os.Stat(s.opts.SysctlDir + "/60-sealane.conf")
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v, %v", info, err)
		}
		s.restore()
		s.opts.SysctlDir = ""
		s.apply(s.wish())
		s.restore()
	})
}
