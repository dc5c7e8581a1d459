package identity

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
)

func facts() Facts {
	return Facts{
		Zone: "cn-hangzhou-h", SerialNumber: "00000000-0000-4000-8000-000000000001", Instance: "i-bp1sim0001", Region: "cn-hangzhou",
		IP: "192.168.0.11", Account: "1234567890123456", MAC: "00:16:3e:00:00:11", Image: "aliyun_3_x64_20G.vhd", Type: "ecs.g7.large",
	}
}

const documentText = `{"zone-id":"cn-hangzhou-h","serial-number":"00000000-0000-4000-8000-000000000001","instance-id":"i-bp1sim0001",` +
	`"region-id":"cn-hangzhou","private-ipv4":"192.168.0.11","owner-account-id":"1234567890123456","mac":"00:16:3e:00:00:11",` +
	`"image-id":"aliyun_3_x64_20G.vhd","instance-type":"ecs.g7.large"}`

// signer is one for all tests: its key takes a while.
var signer = sync.OnceValues(func() (*Signer, error) { return New(time.Now()) })

func theSigner(t *testing.T) *Signer {
	t.Helper()
	s, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocument(t *testing.T) {
	if got := string(Document(facts())); got != documentText {
		t.Errorf("got  %s\nwant %s", got, documentText)
	}
	odd := facts()
	odd.Type = "a&<\"\n"
	var back Facts
	text := Document(odd)
	if err := json.Unmarshal(text, &back); err != nil || back != odd || bytes.ContainsAny(text, "\n ") || !bytes.Contains(text, []byte("&<")) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestCertificate(t *testing.T) {
	s := theSigner(t)
	c := s.Certificate()
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != 2048 || c.Subject.String() != "CN=Unknown,OU=Unknown,O=Unknown,L=Unknown,ST=Unknown,C=Unknown" ||
		c.SerialNumber.Sign() <= 0 || c.NotBefore.After(time.Now()) || c.NotAfter.Before(time.Now().AddDate(19, 11, 0)) {
		t.Errorf("got %v, %v, %v to %v", c.Subject, c.SerialNumber, c.NotBefore, c.NotAfter)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Errorf("not signed by itself: %v", err)
	}
	block, rest := pem.Decode(s.PEM())
	if block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, c.Raw) {
		t.Error("the PEM is another certificate")
	}
	other, err := New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if other.Certificate().Equal(c) {
		t.Error("two signers share a certificate")
	}
}

// verify is an independent reading of a detached signature: it goes by tags and bytes, and
// uses none of the types that made it.
func verify(c *x509.Certificate, signature string, content []byte) error {
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	message, err := children(der, 2)
	if err != nil {
		return err
	}
	body, err := children(message[1].Bytes, 4) // [0] holds the sequence
	if err != nil {
		return err
	}
	if !bytes.Equal(body[2].FullBytes, []byte{0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}) {
		return fmt.Errorf("content is %x, want no more than the type data", body[2].FullBytes)
	}
	signer, err := children(body[3].Bytes, 6)
	if err != nil {
		return err
	}
	id, err := children(signer[1].FullBytes, 2)
	if err != nil {
		return err
	}
	if !bytes.Equal(id[0].FullBytes, c.RawIssuer) || !bytes.Equal(id[1].Bytes, c.SerialNumber.Bytes()) {
		return errors.New("signed by another certificate")
	}
	attributes := signer[3]
	if attributes.FullBytes[0] != 0xa0 {
		return fmt.Errorf("attributes have the tag %x", attributes.FullBytes[0])
	}
	digest := sha256.Sum256(content)
	wantDigest := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04, 0x31, 0x22, 0x04, 0x20}, digest[:]...)
	wantType := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03, 0x31, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	if !bytes.Contains(attributes.Bytes, wantDigest) || !bytes.Contains(attributes.Bytes, wantType) {
		return errors.New("the attributes are of another content")
	}
	set := bytes.Clone(attributes.FullBytes)
	set[0] = 0x31
	digest = sha256.Sum256(set)
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("no RSA key")
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signer[5].Bytes)
}

// children are the values within one, which must be that many and leave nothing over.
func children(der []byte, want int) ([]asn1.RawValue, error) {
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes left, %w", len(rest), err)
	}
	var list []asn1.RawValue
	for rest := outer.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if len(list) != want {
		return nil, fmt.Errorf("%d values, want %d", len(list), want)
	}
	return list, nil
}

func TestSign(t *testing.T) {
	s := theSigner(t)
	for audience, signed := range map[string]string{
		"":                   documentText,
		"nonce-1":            documentText[:len(documentText)-1] + `,"audience":"nonce-1"}`,
		"https://a.b/c?d=<e": documentText[:len(documentText)-1] + `,"audience":"https://a.b/c?d=<e"}`,
	} {
		signature, err := s.Sign([]byte(documentText), audience)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(s.Certificate(), signature, []byte(signed)); err != nil {
			t.Errorf("audience %q: %v", audience, err)
		}
		for _, other := range []string{signed + " ", documentText + "x", `{"audience":"nonce-1"}`} {
			if verify(s.Certificate(), signature, []byte(other)) == nil {
				t.Errorf("audience %q: the signature also fits %s", audience, other)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	s := theSigner(t)
	for _, test := range []struct{ document, audience string }{
		{"", ""}, {documentText + "\n", ""}, {documentText, `a"b`}, {documentText, `a\b`}, {documentText, "a\nb"}, {documentText, "é"},
	} {
		if got, err := s.Sign([]byte(test.document), test.audience); !errors.Is(err, api.ErrInvalid) || got != "" {
			t.Errorf("%+v: got %q, %v; want ErrInvalid", test, got, err)
		}
	}
}

func TestOpenSSLVerifies(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs the openssl command: ", err)
	}
	s := theSigner(t)
	signature, err := s.Sign([]byte(documentText), "nonce-1")
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	signed := documentText[:len(documentText)-1] + `,"audience":"nonce-1"}`
	sig, cert := write("signature", der), write("certificate", s.PEM())
	// The second form is armoured, as the vendor's own example has it.
	armoured := write("armoured", pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}))
	for _, args := range [][]string{
		{"-inform", "DER", "-in", sig, "-noverify"},
		{"-inform", "PEM", "-in", armoured, "-noverify"},
		{"-inform", "DER", "-in", sig, "-CAfile", cert},
	} {
		run := func(content string) ([]byte, error) {
			args := append([]string{"smime", "-verify", "-binary", "-certfile", cert, "-content", write("content", []byte(content))}, args...)
			return exec.CommandContext(t.Context(), "openssl", args...).Output()
		}
		if out, err := run(signed); err != nil || string(out) != signed {
			t.Errorf("%v: got %q, %v", args, out, err)
		}
		if _, err := run(documentText); err == nil {
			t.Errorf("%v: another document is verified too", args)
		}
	}
}
