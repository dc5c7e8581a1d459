package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// target reads the target of an iptables rule and its options, to the end of the line.
func (r *rule) target(w *words) func(*walk) decision {
	name, options := w.next(), w.until(func(string) bool { return false })
	switch name {
	case "ACCEPT":
		return always(decision{kind: accept})
	case "DROP", "REJECT":
		return always(decision{kind: drop})
	case "RETURN":
		return always(decision{kind: back})
	case "MASQUERADE":
		return always(decision{kind: translate, nat: masquerade})
	case "SNAT", "DNAT", "REDIRECT":
		return natTarget(name, options)
	case "MARK":
		return r.markTarget(options)
	case "LOG", "NFLOG", "ULOG", "TRACE", "TCPMSS", "TCPOPTSTRIP", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "TTL", "HL", "AUDIT", "SET":
		return nil // goes on with the next rule
	default:
		return always(decision{kind: jump, chain: name})
	}
}

func natTarget(name string, options []string) func(*walk) decision {
	to := ""
	for i, o := range options {
		if strings.HasPrefix(o, "--to-") && i+1 < len(options) {
			to = options[i+1]
		}
	}
	addr, port, ok := addrPort(to)
	switch {
	case name == "REDIRECT":
		return always(decision{kind: translate, nat: redirect(to)})
	case !ok:
		return always(decision{kind: unknown})
	case name == "SNAT":
		return always(decision{kind: translate, nat: snat(addr)})
	default:
		return always(decision{kind: translate, nat: dnat(addr, port)})
	}
}

// markTarget reads --set-xmark V/M, the one form that iptables-save prints: M is cleared, V flipped.
func (r *rule) markTarget(options []string) func(*walk) decision {
	if len(options) == 2 && options[0] == "--set-xmark" {
		v, m, _ := strings.Cut(options[1], "/")
		value, err1 := strconv.ParseUint(v, 0, 32)
		mask, err2 := strconv.ParseUint(m, 0, 32)
		if err1 == nil && err2 == nil {
			r.marks = append(r.marks, func(old uint32) uint32 { return old&^uint32(mask) ^ uint32(value) })
			return nil
		}
	}
	return always(decision{kind: unknown})
}

func masquerade(w *walk) { w.masked = true }

func snat(to netip.Addr) func(*walk) {
	return func(w *walk) { w.Src, w.masked = to, false }
}

// dnat leaves the address or the port as it is if to has none.
func dnat(to netip.Addr, port uint16) func(*walk) {
	return func(w *walk) {
		if to.IsValid() {
			w.Dst, w.ToHost, w.redirected = to, false, true
		}
		if port != 0 {
			w.DstPort = port
		}
	}
}

// redirect sends a packet to the host itself, at the address that the interface has.
func redirect(port string) func(*walk) {
	_, n, _ := addrPort(":" + strings.TrimPrefix(port, ":"))
	return func(w *walk) {
		w.ToHost, w.redirected = true, true
		if n != 0 {
			w.DstPort = n
		}
	}
}

// addrPort reads 10.0.0.2, 10.0.0.2:80, fd00::2, [fd00::2]:80 or :80, and takes the first of
// a range of ports.
func addrPort(s string) (netip.Addr, uint16, bool) {
	if a, b, isRange := strings.Cut(s, "-"); isRange && !strings.ContainsAny(b, ".:") {
		s = a
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a, 0, true
	}
	if p, ok := strings.CutPrefix(s, ":"); ok {
		n, err := strconv.ParseUint(p, 10, 16)
		return netip.Addr{}, uint16(n), err == nil
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr(), ap.Port(), err == nil
}
