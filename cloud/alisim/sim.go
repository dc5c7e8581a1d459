package alisim

import "net/http"

// Sim is a simulated region. All methods may be called from several goroutines.
type Sim struct {
	Hands     // what people and the cloud itself do
	*List     // the faults
	*Log      // the requests
	*Settings // the options

	live     *Live
	keys     *Keys
	rates    *Rates
	vpc      *Service
	wire     Wire
	metadata *Metadata
}

// New starts a simulator. It returns an error of kind api.ErrInvalid that names every
// mistake in the seed.
func New(from Seed, opts Options) (*Sim, error) {
	from, err := from.complete()
	if err != nil {
		return nil, err
	}
	live := NewLive(from)
	s := &Sim{
		Hands: HandsOn(live), List: NewList(live), Log: NewLog(), Settings: NewSettings(opts, live),
		live: live, keys: NewKeys(from, live), rates: NewRates(), vpc: NewService(), wire: Wire{from.Region, from.Account},
	}
	s.metadata = NewMetadata(live, s.keys, func() MetadataSettings {
		o := s.Options()
		return MetadataSettings{o.LocalInstance, o.SessionTime}
	})
	return s, nil
}

// Metadata serves what an instance finds at 100.100.100.200. It knows the instance by the
// address that the request comes from.
func (s *Sim) Metadata() http.Handler { return s.metadata.Handler() }

// IdentityCertificate is the certificate, in PEM, that verifies the signatures of identity
// documents: what a verifier of this simulator pins in place of the vendor's.
func (s *Sim) IdentityCertificate() ([]byte, error) { return s.metadata.Certificate() }

// SetPolicy changes what an access key or a role may do, named by its id or name, to a
// policy document in JSON; an empty one permits everything. Errors are of kinds
// api.ErrNotFound and api.ErrInvalid.
func (s *Sim) SetPolicy(name string, document Document) error {
	return s.keys.SetPolicy(name, document)
}

// Admin serves the admin endpoint: faults, the log of requests, the world and the settings,
// as JSON under /v1/. It answers callers on loopback that name it by a loopback address,
// so no web page can reach it by a name of its own.
func (s *Sim) Admin() http.Handler {
	return Control{s.Hands, s.List, s.Log, s.Settings, s.keys.SetPolicy, s.IdentityCertificate}.Handler()
}
