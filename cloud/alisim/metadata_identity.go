package alisim

import (
	"fmt"
	"net/http"

	"github.com/sealane/sealane/cloud/alisim/identity"
)

// identity is the identity document of the instance that asks.
func (s *Sim) identity(w http.ResponseWriter, _ *http.Request, i *Instance) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(s.world.document(i)) // the caller may be gone
}

func (w *world) document(i *Instance) []byte {
	all := w.metadata(i)
	return identity.Document(identity.Facts{
		Zone: all["zone-id"], SerialNumber: all["serial-number"], Instance: i.ID, Region: w.region, IP: all["private-ipv4"],
		Account: w.account, MAC: i.MAC, Image: imageID, Type: instanceType,
	})
}

// signature is the detached signature of the document. The key is made when the first
// signature is asked for, which takes a moment that nobody else must wait for.
func (s *Sim) signature(w http.ResponseWriter, r *http.Request) {
	signer, err := s.signer()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.known(func(w http.ResponseWriter, r *http.Request, i *Instance) {
		text, err := signer.Sign(s.world.document(i), r.URL.Query().Get("audience"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		say(w, text)
	})(w, r)
}

// IdentityCertificate is the certificate, in PEM, that verifies the signatures of identity
// documents: what a verifier of this simulator pins in place of the vendor's.
func (s *Sim) IdentityCertificate() ([]byte, error) {
	signer, err := s.signer()
	if err != nil {
		return nil, fmt.Errorf("make identity certificate: %w", err)
	}
	return signer.PEM(), nil
}
