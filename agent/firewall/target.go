package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// readTarget reads the target of an iptables rule.
func readTarget(name string, options []string) step {
	d := decision{kind: jump, chain: name}
	switch name {
	case "ACCEPT":
		d = decision{kind: accept}
	case "DROP", "REJECT":
		d = decision{kind: drop}
	case "RETURN":
		d = decision{kind: back}
	case "MASQUERADE":
		d = decision{kind: translate, change: masquerade}
	case "SNAT", "DNAT", "REDIRECT":
		d = natTarget(name, options)
	case "MARK":
		d = setMark(options, false)
	case "CONNMARK":
		d = connMarkTarget(options)
	case "NOTRACK":
		d = decision{kind: change, change: untrack}
	case "CT":
		d = decision{}
		if len(options) > 0 && options[0] == "--notrack" {
			d = decision{kind: change, change: untrack}
		}
	case "LOG", "NFLOG", "ULOG", "TRACE", "TCPMSS", "TCPOPTSTRIP", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "TTL", "HL", "AUDIT", "SET", "TEE", "CONNSECMARK", "SECMARK":
		d = decision{} // goes on with the next rule
	}
	return always(d)
}

func untrack(w *walk) { w.state = "untracked" }

func natTarget(name string, options []string) decision {
	to := ""
	for i, o := range options {
		if strings.HasPrefix(o, "--to-") && i+1 < len(options) {
			to = options[i+1]
		}
	}
	if name == "REDIRECT" {
		to = ":" + to
	}
	addr, port, ok := addrPort(to)
	if !ok && name != "REDIRECT" {
		return decision{kind: undecided}
	}
	return translation(strings.ToLower(name), addr, port)
}

// translation is that of a kind, to an address or a port or both.
func translation(kind string, to netip.Addr, port uint16) decision {
	switch {
	case kind == "redirect":
		return decision{kind: translate, change: redirect(port)}
	case kind == "dnat":
		return decision{kind: translate, change: dnat(to, port)}
	case to.IsValid():
		return decision{kind: translate, change: snat(to)}
	default:
		return decision{kind: undecided}
	}
}

// markOf is a packet's mark, or that of its connection.
func (w *walk) markOf(conn bool) *uint32 {
	if conn {
		return &w.connMark
	}
	return &w.mark
}

// setMark reads --set-xmark V/M, the one form that iptables-save prints: M is cleared, V flipped.
func setMark(options []string, conn bool) decision {
	if len(options) == 2 && options[0] == "--set-xmark" {
		if value, mask, ok := valueMask(options[1]); ok {
			return decision{kind: change, change: func(w *walk) { *w.markOf(conn) = *w.markOf(conn)&^mask ^ value }}
		}
	}
	return decision{kind: undecided}
}

// connMarkTarget reads --save-mark and --restore-mark with their masks.
func connMarkTarget(options []string) decision {
	nf, ct := ^uint32(0), ^uint32(0)
	for i := 1; i+1 < len(options); i += 2 {
		n, err := strconv.ParseUint(options[i+1], 0, 32)
		if err != nil {
			return decision{kind: undecided}
		}
		switch options[i] {
		case "--nfmask":
			nf = uint32(n)
		case "--ctmask":
			ct = uint32(n)
		case "--mask":
			nf, ct = uint32(n), uint32(n)
		default:
			return decision{kind: undecided}
		}
	}
	switch {
	case len(options) > 0 && options[0] == "--restore-mark":
		return decision{kind: change, change: func(w *walk) { w.mark = w.mark&^nf ^ w.connMark&ct }}
	case len(options) > 0 && options[0] == "--save-mark":
		return decision{kind: change, change: func(w *walk) { w.connMark = w.connMark&^ct ^ w.mark&nf }}
	default:
		return setMark(options, true)
	}
}

// valueMask reads V/M.
func valueMask(text string) (value, mask uint32, ok bool) {
	v, m, _ := strings.Cut(text, "/")
	n, err1 := strconv.ParseUint(v, 0, 32)
	o, err2 := strconv.ParseUint(m, 0, 32)
	return uint32(n), uint32(o), err1 == nil && err2 == nil
}

func masquerade(w *walk) { w.masked = true }

func snat(to netip.Addr) func(*walk) {
	return func(w *walk) {
		w.replace(srcAddr, to)
		w.masked = false
	}
}

// dnat leaves the address or the port as it is if to has none.
func dnat(to netip.Addr, port uint16) func(*walk) {
	return func(w *walk) {
		if to.IsValid() {
			w.replace(dstAddr, to)
			w.toHost, w.redirected = false, true
		}
		if port != 0 {
			w.replace(targetPort, small(uint64(port)))
		}
	}
}

// redirect sends a packet to the host itself, at the address that the interface has.
func redirect(port uint16) func(*walk) {
	return func(w *walk) {
		w.toHost, w.redirected = true, true
		if port != 0 {
			w.replace(targetPort, small(uint64(port)))
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
