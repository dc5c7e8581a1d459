package alisim

import (
	"net/http"

	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/control"
	"github.com/sealane/sealane/cloud/alisim/fault"
	"github.com/sealane/sealane/cloud/alisim/metadata"
	"github.com/sealane/sealane/cloud/alisim/vpc"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Sim is a simulated region. All methods may be called from several goroutines.
type Sim struct {
	world.Hands       // what people and the cloud itself do
	*fault.List       // the faults
	*call.Log         // the requests
	*control.Settings // the options

	live     *world.Live
	keys     *call.Keys
	rates    *call.Rates
	vpc      *vpc.Service
	wire     call.Wire
	metadata *metadata.Service
}

// New starts a simulator. It returns an error of kind api.ErrInvalid that names every
// mistake in the seed.
func New(from seed.Seed, opts control.Options) (*Sim, error) {
	from, err := from.Completed()
	if err != nil {
		return nil, err
	}
	live := world.NewLive(from)
	s := &Sim{
		Hands: world.HandsOn(live), List: fault.NewList(live), Log: call.NewLog(), Settings: control.NewSettings(opts, live),
		live: live, keys: call.NewKeys(from, live), rates: call.NewRates(), vpc: vpc.New(), wire: call.Wire{Region: from.Region, Account: from.Account},
	}
	s.metadata = metadata.New(live, s.keys, func() metadata.Settings {
		o := s.Options()
		return metadata.Settings{LocalInstance: o.LocalInstance, SessionTime: o.SessionTime}
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
func (s *Sim) SetPolicy(name string, document seed.Document) error {
	return s.keys.SetPolicy(name, document)
}

// Admin serves the admin endpoint: faults, the log of requests, the world and the settings,
// as JSON under /v1/. It answers callers on loopback that name it by a loopback address,
// so no web page can reach it by a name of its own.
func (s *Sim) Admin() http.Handler {
	return control.Control{
		Hands: s.Hands, Faults: s.List, Log: s.Log, Settings: s.Settings, SetPolicy: s.SetPolicy, Certificate: s.IdentityCertificate,
	}.Handler()
}
