package alisim

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Headers of the metadata service's token protocol.
const (
	tokenHeader = "X-aliyun-ecs-metadata-token"
	ttlHeader   = "X-aliyun-ecs-metadata-token-ttl-seconds"
	longestPass = 21600 // seconds
)

// metadataPass is a token of the metadata service.
type metadataPass struct {
	instance string
	expires  time.Time
}

// session is a temporary key that an instance got by its role.
type session struct {
	id, secret, token string
	role, instance    string
	issued, expires   time.Time
}

// Metadata serves what an instance finds at 100.100.100.200. It knows the instance by the
// address that the request comes from.
func (s *Sim) Metadata() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", s.passFor)
	mux.HandleFunc("GET /latest/meta-data/{path...}", s.known(s.metaData))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", s.known(s.identity))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/pkcs7", s.signature)
	return mux
}

func (s *Sim) passFor(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.caller(r)
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case i == nil:
		http.Error(w, "no instance has this address", http.StatusNotFound)
	case i.HTTPEndpoint == "disabled":
		http.Error(w, "the metadata service is disabled", http.StatusForbidden)
	case r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "forwarded requests get no token", http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > longestPass:
		http.Error(w, ttlHeader+" is not 1 to 21600", http.StatusBadRequest)
	default:
		now := time.Now()
		maps.DeleteFunc(s.imds, func(_ string, p metadataPass) bool { return !now.Before(p.expires) })
		token := rand.Text()
		s.imds[token] = metadataPass{i.ID, now.Add(time.Duration(seconds) * time.Second)}
		say(w, token)
	}
}

// known finds the instance and checks its token, then serves it.
func (s *Sim) known(serve func(http.ResponseWriter, *http.Request, *Instance)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := s.caller(r)
		switch {
		case i == nil:
			http.Error(w, "no instance has this address", http.StatusNotFound)
		case i.HTTPEndpoint == "disabled":
			http.Error(w, "the metadata service is disabled", http.StatusForbidden)
		case !s.holdsPass(r, i):
			http.Error(w, "token is missing or wrong", http.StatusForbidden)
		default:
			serve(w, r, i)
		}
	}
}

// holdsPass checks the token: a wrong one is always refused, none only where required.
func (s *Sim) holdsPass(r *http.Request, i *Instance) bool {
	token := r.Header.Get(tokenHeader)
	if token == "" {
		return i.HTTPTokens != "required"
	}
	p, ok := s.imds[token]
	return ok && p.instance == i.ID && time.Now().Before(p.expires)
}

func (s *Sim) caller(r *http.Request) *Instance {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	if i := s.world.at(from.Addr().Unmap()); i != nil || !from.Addr().Unmap().IsLoopback() {
		return i
	}
	return s.world.instance(s.opts.LocalInstance)
}

func (s *Sim) metaData(w http.ResponseWriter, r *http.Request, i *Instance) {
	path := r.PathValue("path")
	if role, ok := strings.CutPrefix(path, "ram/security-credentials/"); ok && role != "" {
		s.credentials(w, i, role)
		return
	}
	if text, ok := look(s.world.metadata(i), path); ok {
		say(w, text)
		return
	}
	http.Error(w, "404 - Not Found", http.StatusNotFound)
}

// look finds what is at a path: a fact, or a list, which needs no slash at its end, or what a
// directory holds, directories with a slash.
func look(all map[string]string, path string) (text string, ok bool) {
	directory := strings.TrimSuffix(path, "/") + "/"
	for _, at := range [...]string{path, directory} {
		if text, ok := all[at]; ok {
			return text, true
		}
	}
	var held []string
	for at := range all {
		rest, inside := strings.CutPrefix(at, strings.TrimPrefix(directory, "/"))
		name, _, deeper := strings.Cut(rest, "/")
		if deeper {
			name += "/"
		}
		if inside {
			held = append(held, name)
		}
	}
	slices.Sort(held)
	return strings.Join(slices.Compact(held), "\n"), len(held) > 0
}

// metadata is what an instance may ask for, by path.
func (w *world) metadata(i *Instance) map[string]string {
	v, sw := w.vpc(i.VPC), w.vswitch(i.VSwitch)
	all := map[string]string{
		"instance-id": i.ID, "region-id": w.region, "zone-id": sw.Zone, "vpc-id": i.VPC, "vswitch-id": i.VSwitch,
		"vpc-cidr-block": v.CIDR.String(), "vswitch-cidr-block": sw.CIDR.String(), "private-ipv4": i.IP.String(), "mac": i.MAC,
		"owner-account-id": w.account, "hostname": i.Name, "image-id": imageID, "serial-number": i.serialNumber(),
		"network-type": "vpc", "eipv4": "", "instance/instance-type": instanceType,
		"dns-conf/nameservers": "100.100.2.136\n100.100.2.138",
	}
	var macs []string
	for _, f := range i.Attached() {
		sw, mac := w.vswitch(f.VSwitch), "network/interfaces/macs/"+f.MAC+"/"
		macs = append(macs, f.MAC+"/")
		maps.Copy(all, map[string]string{
			mac + "network-interface-id": f.ID, mac + "vswitch-id": f.VSwitch, mac + "vpc-id": i.VPC,
			mac + "primary-ip-address": f.IP.String(), mac + "netmask": netmask(sw.CIDR), mac + "gateway": gateway(sw.CIDR),
			mac + "vswitch-cidr-block": sw.CIDR.String(), mac + "vpc-cidr-block": v.CIDR.String(),
			mac + "private-ipv4s": fmt.Sprintf("[%s]", strings.Join(mapped(f.privateIPs(nil).PrivateIPSet, func(p privateIP) string { return p.PrivateIPAddress }), ",")),
		})
		if len(f.IPv6) > 0 {
			all[mac+"ipv6s"] = fmt.Sprintf("[%s]", strings.Join(mapped(f.IPv6, netip.Addr.String), ","))
			all[mac+"vswitch-ipv6-cidr-block"] = sw.IPv6.String()
			all[mac+"vpc-ipv6-cidr-blocks"] = "[" + v.IPv6.String() + "]"
		}
	}
	all["network/interfaces/macs/"] = strings.Join(macs, "\n")
	if i.Role != "" {
		all["ram/security-credentials/"] = i.Role
	}
	return all
}

// credentials gives out a temporary key for the instance's role: the same one until half
// of its time is over, or the time was made shorter than what is left of it.
func (s *Sim) credentials(w http.ResponseWriter, i *Instance, role string) {
	if role != i.Role {
		http.Error(w, "404 - Not Found", http.StatusNotFound)
		return
	}
	now := time.Now()
	current := session{}
	for id, k := range s.sessions {
		left := k.expires.Sub(now)
		switch {
		case now.Sub(k.expires) > clockWindow:
			delete(s.sessions, id) // long expired; until then the API tells so
		case k.instance == i.ID && k.role == role && left > s.opts.SessionTime/2 && left <= s.opts.SessionTime:
			current = k
		}
	}
	if current.id == "" {
		current = session{
			id: temporary + rand.Text(), secret: rand.Text(), token: rand.Text(),
			role: role, instance: i.ID, issued: now, expires: now.Add(s.opts.SessionTime),
		}
		s.sessions[current.id] = current
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller may be gone
		"AccessKeyId": current.id, "AccessKeySecret": current.secret, "SecurityToken": current.token,
		"Expiration": stamp(current.expires), "LastUpdated": stamp(current.issued), "Code": "Success",
	})
}

func say(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprint(w, text) // the caller may be gone
}

func netmask(p netip.Prefix) string {
	mask := ^uint32(0) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

// gateway is where the cloud puts a vSwitch's router: two below the last address.
func gateway(p netip.Prefix) string {
	b := p.Addr().As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n |= ^uint32(0) >> p.Bits()
	n -= 2
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
}
