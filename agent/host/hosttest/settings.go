package hosttest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/sealane/sealane/agent/host"
)

// settings are the sysctls of a fake beside ip_forward, and the file that makes those that
// were set last.
type settings struct {
	filter int             // effective reverse path filter of eth0
	off    map[string]bool // interfaces that do not forward although the host does
	shield bool            // Docker drops what is not published
	file   []string        // the lines of the file, sorted; nil without it
}

// formerSettings is what a fake remembers of them.
type formerSettings struct {
	filter *int            // nil while it is as it was
	off    map[string]bool // interfaces that did not forward
}

// forwardAll turns forwarding of the host on or off, and with it that of all interfaces.
func (f *Fake) forwardAll(on bool) {
	if f.forward != on {
		f.off = nil
	}
	f.forward = on
}

func (f *Fake) applyLinks(w host.Wish, done func(host.Kind, string)) {
	links := []string{w.Uplink}
	for _, l := range w.Locals {
		links = append(links, l.Bridge)
	}
	for _, link := range links {
		if !f.off[link] {
			continue
		}
		delete(f.off, link)
		if f.memory.off == nil {
			f.memory.off = map[string]bool{}
		}
		f.memory.off[link] = true
		done(host.KindForwarding, "forwarding of "+link)
	}
}

func (f *Fake) applyFilter(done func(host.Kind, string)) {
	if f.filter != 1 {
		return
	}
	was := f.filter
	f.memory.filter, f.filter = &was, 2
	done(host.KindSetting, "rp_filter of eth0")
}

func (f *Fake) applyFile(done func(host.Kind, string)) {
	var want []string
	if m := f.memory.forward; m != nil && !*m && f.shield {
		want = append(want, "ip_forward = 1")
	}
	for _, link := range slices.Sorted(maps.Keys(f.memory.off)) {
		want = append(want, "forwarding of "+link+" = 1")
	}
	if f.memory.filter != nil {
		want = append(want, "rp_filter of eth0 = 2")
	}
	if !slices.Equal(f.file, want) {
		f.file = want
		done(host.KindFile, "sysctl.d")
	}
}

func (f *Fake) restoreSettings(done func(host.Kind, string)) {
	if f.file != nil {
		f.file = nil
		done(host.KindFile, "sysctl.d")
	}
	if m := f.memory.filter; m != nil && f.filter == 2 {
		f.filter = *m
		done(host.KindSetting, "rp_filter of eth0")
	}
	if m := f.memory.forward; m != nil && !*m {
		if f.forward {
			f.forwardAll(false)
			done(host.KindForwarding, "net.ipv4.ip_forward")
		}
		return
	}
	for link := range f.memory.off {
		f.turnOff(link)
		done(host.KindForwarding, "forwarding of "+link)
	}
}

func (f *Fake) turnOff(link string) {
	if f.off == nil {
		f.off = map[string]bool{}
	}
	f.off[link] = true
}

// reversePath is the filter of the uplink, if it is one that carries ip.
func (f *Fake) reversePath(ip netip.Addr) int {
	if f.uplinks[ip] == "" {
		return 0
	}
	return f.filter
}

// lines are the settings as text.
func (s settings) lines() string {
	var text strings.Builder
	for _, link := range slices.Sorted(maps.Keys(s.off)) {
		fmt.Fprintf(&text, "forwarding of %s off\n", link)
	}
	if s.filter != 0 {
		fmt.Fprintf(&text, "rp_filter of eth0 %d\n", s.filter)
	}
	for _, line := range s.file {
		text.WriteString("sysctl.d: " + line + "\n")
	}
	return text.String()
}
