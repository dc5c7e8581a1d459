// Package metadata is the metadata service that instances find at 100.100.100.200.
package metadata

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
	"sync"
	"time"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/identity"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
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

// Service is the metadata service.
type Service struct {
	live   *world.Live
	keys   *call.Keys
	ask    func() Settings
	passes map[string]metadataPass // guarded by the world
	signer func() (*identity.Signer, error)
}

// Settings say how the metadata service behaves.
type Settings struct {
	LocalInstance string        // who callers from loopback are where no instance has their address; "": nobody
	SessionTime   time.Duration // how long the credentials of a role hold
}

// New is the metadata service of the instances of a world. settings is asked at each
// request.
func New(live *world.Live, keys *call.Keys, settings func() Settings) *Service {
	return &Service{
		live: live, keys: keys, ask: settings, passes: map[string]metadataPass{},
		signer: sync.OnceValues(func() (*identity.Signer, error) { return identity.New(time.Now()) }),
	}
}

// Handler serves what an instance finds at 100.100.100.200. It knows the instance by the
// address that the request comes from.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", s.giveToken)
	mux.HandleFunc("GET /latest/meta-data/{path...}", s.forInstance(s.serveFacts))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", s.forInstance(s.serveDocument))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/pkcs7", s.serveSignature)
	return mux
}

// giveToken gives an instance a token for as long as it asks for.
func (s *Service) giveToken(w http.ResponseWriter, r *http.Request) {
	settings := s.ask()
	s.live.Locked(func(have *world.World) {
		i := callerOf(have, r, settings)
		seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
		switch {
		case !isServed(w, i):
		case r.Header.Get("X-Forwarded-For") != "":
			http.Error(w, "forwarded requests get no token", http.StatusForbidden)
		case err != nil || seconds < 1 || seconds > longestPass:
			http.Error(w, ttlHeader+" is not 1 to 21600", http.StatusBadRequest)
		default:
			now := time.Now()
			maps.DeleteFunc(s.passes, func(_ string, p metadataPass) bool { return !now.Before(p.expires) })
			token := rand.Text()
			s.passes[token] = metadataPass{i.ID, now.Add(time.Duration(seconds) * time.Second)}
			writeText(w, token)
		}
	})
}

// isServed reports whether the service answers an instance at all, and says why not.
func isServed(w http.ResponseWriter, i *seed.Instance) bool {
	switch {
	case i == nil:
		http.Error(w, "no instance has this address", http.StatusNotFound)
	case i.HTTPEndpoint == "disabled":
		http.Error(w, "the metadata service is disabled", http.StatusForbidden)
	default:
		return true
	}
	return false
}

// visit is a request of an instance that may ask.
type visit struct {
	world    *world.World
	instance *seed.Instance
	settings Settings
}

// forInstance finds the instance and checks its token, then serves it.
func (s *Service) forInstance(serve func(http.ResponseWriter, *http.Request, visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings := s.ask()
		s.live.Locked(func(have *world.World) {
			i := callerOf(have, r, settings)
			switch {
			case !isServed(w, i):
			case !s.holdsPass(r, i):
				http.Error(w, "token is missing or wrong", http.StatusForbidden)
			default:
				serve(w, r, visit{have, i, settings})
			}
		})
	}
}

// holdsPass checks the token: a wrong one is always refused, none only where required.
func (s *Service) holdsPass(r *http.Request, i *seed.Instance) bool {
	token := r.Header.Get(tokenHeader)
	if token == "" {
		return i.HTTPTokens != "required"
	}
	p, ok := s.passes[token]
	return ok && p.instance == i.ID && time.Now().Before(p.expires)
}

// callerOf is the instance that a request comes from, or nil.
func callerOf(have *world.World, r *http.Request, settings Settings) *seed.Instance {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	if i := have.InstanceAt(from.Addr().Unmap()); i != nil || !from.Addr().Unmap().IsLoopback() {
		return i
	}
	return have.Instance(settings.LocalInstance)
}

func (s *Service) serveFacts(w http.ResponseWriter, r *http.Request, v visit) {
	path := r.PathValue("path")
	if role, ok := strings.CutPrefix(path, "ram/security-credentials/"); ok && role != "" {
		s.serveCredentials(w, v, role)
		return
	}
	if text, ok := factAt(factsOf(v.world, v.instance), path); ok {
		writeText(w, text)
		return
	}
	http.Error(w, "404 - Not Found", http.StatusNotFound)
}

// factAt finds what is at a path: a fact, or a list, which needs no slash at its end, or what a
// directory holds, directories with a slash.
func factAt(all map[string]string, path string) (text string, ok bool) {
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

// factsOf is what an instance may ask for, by path.
func factsOf(w *world.World, i *seed.Instance) map[string]string {
	v, sw := w.VPC(i.VPC), w.VSwitch(i.VSwitch)
	all := map[string]string{
		"instance-id": i.ID, "region-id": w.Region, "zone-id": sw.Zone, "vpc-id": i.VPC, "vswitch-id": i.VSwitch,
		"vpc-cidr-block": v.CIDR.String(), "vswitch-cidr-block": sw.CIDR.String(), "private-ipv4": i.IP.String(), "mac": i.MAC,
		"owner-account-id": w.Account, "hostname": i.Name, "image-id": seed.ImageID, "serial-number": i.SerialNumber(),
		"network-type": "vpc", "eipv4": "", "instance/instance-type": seed.InstanceType,
		"dns-conf/nameservers": "100.100.2.136\n100.100.2.138",
	}
	var macs []string
	for _, f := range i.Attached() {
		sw, mac := w.VSwitch(f.VSwitch), "network/interfaces/macs/"+f.MAC+"/"
		macs = append(macs, f.MAC+"/")
		maps.Copy(all, map[string]string{
			mac + "network-interface-id": f.ID, mac + "vswitch-id": f.VSwitch, mac + "vpc-id": i.VPC,
			mac + "primary-ip-address": f.IP.String(), mac + "netmask": netmaskOf(sw.CIDR), mac + "gateway": gatewayOf(sw.CIDR),
			mac + "vswitch-cidr-block": sw.CIDR.String(), mac + "vpc-cidr-block": v.CIDR.String(),
			mac + "private-ipv4s": fmt.Sprintf("[%s]", strings.Join(f.IPv4(), ",")),
		})
		if len(f.IPv6) > 0 {
			all[mac+"ipv6s"] = fmt.Sprintf("[%s]", strings.Join(world.Mapped(f.IPv6, netip.Addr.String), ","))
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

// serveCredentials gives out a temporary key for the instance's role.
func (s *Service) serveCredentials(w http.ResponseWriter, v visit, role string) {
	if role != v.instance.Role {
		http.Error(w, "404 - Not Found", http.StatusNotFound)
		return
	}
	current := s.keys.SessionFor(v.instance.ID, role, v.settings.SessionTime)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller may be gone
		"AccessKeyId": current.ID, "AccessKeySecret": current.Secret, "SecurityToken": current.Token,
		"Expiration": call.Stamp(current.Expires), "LastUpdated": call.Stamp(current.Issued), "Code": "Success",
	})
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprint(w, text) // the caller may be gone
}

// netmaskOf is the mask of a network of IPv4.
func netmaskOf(p netip.Prefix) string {
	mask := ^uint32(0) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

// gatewayOf is where the cloud puts a vSwitch's router: two below the last address.
func gatewayOf(p netip.Prefix) string {
	b := p.Addr().As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n |= ^uint32(0) >> p.Bits()
	n -= 2
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
}
