package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Mark says who owns a route: the cluster that made it and the host it was made for.
// The cloud keeps it in the route's name and description, since routes carry no tags.
type Mark struct {
	Cluster    string     `json:"cluster"`
	Host       InstanceID `json:"host"`
	Generation int64      `json:"generation,omitempty"` // revision of the host's claim when the route was made; 0 is not known
}

// IsZero reports whether there is no mark.
func (m Mark) IsZero() bool { return m == Mark{} }

// Same reports whether both name the same owner. The generation is a witness, not an owner.
func (m Mark) Same(o Mark) bool { return m.Cluster == o.Cluster && m.Host == o.Host }

// Name is the mark as a route's name, within the cloud's 128 characters.
func (m Mark) Name() string { return markName + m.Cluster + "/" + string(m.Host) }

const (
	markName = "sealane/"
	markText = "managed-by=sealane;"
)

// Seal writes marks so that a copied or edited one is seen to be wrong: with an
// authentication code over the mark and the place, keyed with the controller's secret. The
// zero Seal has no secret; its code still tells copies and edits from marks, but not
// forgeries. Providers use it.
type Seal struct {
	keys []MarkKey
}

// MarkKey is a secret that marks are sealed with.
type MarkKey string

// String hides the secret.
func (MarkKey) String() string { return "***" }

// GoString hides the secret.
func (MarkKey) GoString() string { return "***" }

// NewSeal seals with the first key and accepts all of them, so that a key can be changed.
// Routes sealed with another than the first are Stale: they are sealed anew in time. An
// empty key stands for none.
func NewSeal(keys ...MarkKey) Seal { return Seal{keys} }

// Description is the route's mark as its description, within the cloud's 256 characters.
func (s Seal) Description(r Route) string {
	var key MarkKey
	if len(s.keys) > 0 {
		key = s.keys[0]
	}
	return fmt.Sprintf("%sv=2;cluster=%s;host=%s;g=%d;mac=%s",
		markText, r.Mark.Cluster, r.Mark.Host, r.Mark.Generation, code(key, r.Key(), r.Mark))
}

// Open returns the route r with the mark that its name and description carry. Both must be
// intact, agree, and be made for this place with one of the keys. Otherwise the route is
// foreign; it is spoiled if it looks like one of ours all the same.
func (s Seal) Open(r Route, name, description string) Route {
	r.Mark, r.Spoiled, r.Stale = Mark{}, false, false
	looksOurs := strings.HasPrefix(name, markName) || strings.HasPrefix(description, markText)
	m, ok := parseMark(description)
	for i, key := range s.accepted() {
		want := fmt.Sprintf("%sv=2;cluster=%s;host=%s;g=%d;mac=%s", markText, m.Cluster, m.Host, m.Generation, code(key, r.Key(), m))
		if ok && m.Name() == name && hmac.Equal([]byte(want), []byte(description)) {
			r.Mark, r.Stale = m, i > 0
			return r
		}
	}
	r.Spoiled = looksOurs
	return r
}

func (s Seal) accepted() []MarkKey {
	if len(s.keys) == 0 {
		return []MarkKey{""}
	}
	return s.keys
}

// parseMark reads the fields of a description, whoever wrote them.
func parseMark(description string) (Mark, bool) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(description, ";") {
		key, value, _ := strings.Cut(field, "=")
		fields[key] = value
	}
	generation, err := strconv.ParseInt(fields["g"], 10, 64)
	m := Mark{Cluster: fields["cluster"], Host: InstanceID(fields["host"]), Generation: generation}
	return m, err == nil && m.Cluster != "" && m.Host != ""
}

// code is 96 bits of HMAC-SHA256 over the mark and the place it was made for.
func code(key MarkKey, place RouteKey, m Mark) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%s\n%s\n%d\n%s\n%s", m.Cluster, m.Host, m.Generation, place.Table, place.Destination)
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
