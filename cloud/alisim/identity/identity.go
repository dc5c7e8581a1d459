// Package identity makes the identity documents of simulated instances and signs them the
// way the cloud's metadata service does, with a certificate of its own: whoever verifies
// documents of a simulator pins that one in place of the vendor's.
package identity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
)

// Facts is what an identity document says about an instance, in its order.
type Facts struct {
	Zone         string `json:"zone-id"`
	SerialNumber string `json:"serial-number"`
	Instance     string `json:"instance-id"`
	Region       string `json:"region-id"`
	IP           string `json:"private-ipv4"`
	Account      string `json:"owner-account-id"`
	MAC          string `json:"mac"`
	Image        string `json:"image-id"`
	Type         string `json:"instance-type"`
}

// Document is the identity document: one line without white space, since a signature
// covers the exact bytes.
func Document(f Facts) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(f) // strings into a buffer: neither can fail
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// Signer signs documents with one self-signed certificate. Its methods may be called from
// several goroutines.
type Signer struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

// The certificate is of the kind that the vendor prints: RSA-2048, valid for 20 years, and
// every part of its subject is "Unknown".
const (
	keyBits = 2048
	years   = 20
	unknown = "Unknown"
)

// New makes a key and its certificate, which is valid from an hour before now. That takes
// some tenths of a second of processor time: make one per simulator, when it is first
// asked for a signature.
func New(now time.Time) (*Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("key for identity documents: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("serial number of the certificate for identity documents: %w", err)
	}
	one := []string{unknown}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), // zero is none
		Subject: pkix.Name{
			CommonName: unknown, OrganizationalUnit: one, Organization: one, Locality: one, Province: one, Country: one,
		},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(years, 0, 0),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate for identity documents: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate for identity documents: %w", err)
	}
	return &Signer{key, certificate}, nil
}

// Certificate is what verifiers pin. It is not part of a signature.
func (s *Signer) Certificate() *x509.Certificate { return s.certificate }

// PEM is the certificate as text.
func (s *Signer) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw})
}

// Sign makes the detached PKCS#7 signature of a document, in base64 without armour. With
// an audience it covers the document with the audience put in before its final brace. An
// audience that JSON would have to escape is an error of kind api.ErrInvalid: what the
// cloud does with it is not documented.
func (s *Signer) Sign(document []byte, audience string) (string, error) {
	signed, err := withAudience(document, audience)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(signed)
	attributes, err := signedAttributes(digest[:])
	if err != nil {
		return "", fmt.Errorf("sign identity document: %w", err)
	}
	digest = sha256.Sum256(attributes.FullBytes)
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign identity document: %w", err)
	}
	der, err := signedData(s.certificate, attributes, signature)
	if err != nil {
		return "", fmt.Errorf("sign identity document: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

func withAudience(document []byte, audience string) ([]byte, error) {
	body, ok := bytes.CutSuffix(document, []byte("}"))
	switch {
	case !ok:
		return nil, fmt.Errorf("identity document does not end with a brace: %w", api.ErrInvalid)
	case audience == "":
		return document, nil
	case strings.ContainsFunc(audience, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }):
		return nil, fmt.Errorf("audience %.80q: quotes, backslashes and what is not printable ASCII are not taken: %w", audience, api.ErrInvalid)
	}
	return fmt.Appendf(nil, `%s,"audience":"%s"}`, body, audience), nil
}
