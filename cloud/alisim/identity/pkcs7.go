package identity

import (
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// The parts of RFC 2315 that a detached signature by one signer is made of. Version 1 of
// both structures.

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content signedDataBody `asn1:"explicit,tag:0"`
}

type signedDataBody struct {
	Version    int
	Algorithms []algorithm `asn1:"set"`
	Content    detached
	Signers    []signerInfo `asn1:"set"`
}

// detached is a content of which only the type is told.
type detached struct{ Type asn1.ObjectIdentifier }

type algorithm struct {
	OID        asn1.ObjectIdentifier
	Parameters asn1.RawValue
}

type signerInfo struct {
	Version         int
	Certificate     issuerAndSerial
	Digest          algorithm
	Attributes      asn1.RawValue
	DigestSignature algorithm
	Signature       []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []any `asn1:"set"`
}

// Object identifiers of PKCS#7, PKCS#9 and PKCS#1, and of SHA-256.
func oidData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }

func oidSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

func oidContentType() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3} }

func oidMessageDigest() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
}
func oidRSA() asn1.ObjectIdentifier    { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }
func oidSHA256() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1} }

// signedAttributes is the set that is signed in place of the content whose digest it
// holds. FullBytes is what the signature covers.
func signedAttributes(digest []byte) (asn1.RawValue, error) {
	der, err := asn1.MarshalWithParams([]attribute{
		{oidContentType(), []any{oidData()}},
		{oidMessageDigest(), []any{digest}},
	}, "set")
	if err != nil {
		return asn1.RawValue{}, err
	}
	var set asn1.RawValue
	_, err = asn1.Unmarshal(der, &set)
	return set, err
}

// signedData is the whole message. It carries neither the content nor the certificate.
func signedData(c *x509.Certificate, attributes asn1.RawValue, signature []byte) ([]byte, error) {
	digest := algorithm{oidSHA256(), asn1.NullRawValue}
	return asn1.Marshal(contentInfo{oidSignedData(), signedDataBody{
		Version: 1, Algorithms: []algorithm{digest}, Content: detached{oidData()},
		Signers: []signerInfo{{
			Version:     1,
			Certificate: issuerAndSerial{asn1.RawValue{FullBytes: c.RawIssuer}, c.SerialNumber},
			Digest:      digest,
			// In the message the set has an implicit tag in place of its own.
			Attributes:      asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: attributes.Bytes},
			DigestSignature: algorithm{oidRSA(), asn1.NullRawValue},
			Signature:       signature,
		}},
	}})
}
