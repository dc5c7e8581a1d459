package metadata

import (
	"fmt"
	"net/http"

	"github.com/sealane/sealane/cloud/alisim/identity"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// serveDocument is the identity document of the instance that asks.
func (s *Service) serveDocument(w http.ResponseWriter, _ *http.Request, v visit) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(identityDocument(v.world, v.instance)) // the caller may be gone
}

// identityDocument is the identity document of an instance.
func identityDocument(w *world.World, i *seed.Instance) []byte {
	all := factsOf(w, i)
	return identity.Document(identity.Facts{
		Zone: all["zone-id"], SerialNumber: all["serial-number"], Instance: i.ID, Region: w.Region, IP: all["private-ipv4"],
		Account: w.Account, MAC: i.MAC, Image: seed.ImageID, Type: seed.InstanceType,
	})
}

// serveSignature is the detached signature of the document. The key is made when the first
// signature is asked for, which takes a moment that nobody else must wait for.
func (s *Service) serveSignature(w http.ResponseWriter, r *http.Request) {
	signer, err := s.signer()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.forInstance(func(w http.ResponseWriter, r *http.Request, v visit) {
		text, err := signer.Sign(identityDocument(v.world, v.instance), r.URL.Query().Get("audience"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeText(w, text)
	})(w, r)
}

// Certificate is the certificate, in PEM, that verifies the signatures of identity
// documents: what a verifier of this simulator pins in place of the vendor's.
func (s *Service) Certificate() ([]byte, error) {
	signer, err := s.signer()
	if err != nil {
		return nil, fmt.Errorf("make identity certificate: %w", err)
	}
	return signer.PEM(), nil
}
