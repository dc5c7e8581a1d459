package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sealane/sealane/api"
)

// version of the content of every record. A reader leaves a newer one alone and shows it
// as unreadable; fields it does not know within its own version it passes over.
const version = 1

// Sizes of a record. etcd takes 1.5 MiB in one request (--max-request-bytes); only the
// pass, which carries a whole plan, may come near.
const (
	recordLimit = 64 << 10
	passLimit   = 1 << 20
)

// errNewer marks a record of a later version: it must not be rewritten.
var errNewer = errors.New("record is of a newer version")

// presence is the content of alive/<instance> and, durable, of seen/<instance>.
type presence struct {
	Instance api.InstanceID `json:"instance"`
	BootID   string         `json:"bootId"`
	Since    time.Time      `json:"since"`
}

// encodeRecord writes a record as one line of JSON that begins with its version.
func encodeRecord(what string, body any, limit int) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return "", fmt.Errorf("record %s: %w: %w", what, api.ErrInvalid, err)
	}
	text := bytes.TrimSpace(b.Bytes())
	value := fmt.Sprintf(`{"v":%d,%s`, version, text[1:])
	if len(value) > limit {
		return "", fmt.Errorf("record %s has %d bytes, more than %d: %w", what, len(value), limit, api.ErrInvalid)
	}
	return value, nil
}

// decodeRecord reads a record. Its error is errNewer, or says what is wrong with the content.
func decodeRecord[T any](value []byte, limit int) (body T, err error) {
	if len(value) > limit {
		return body, fmt.Errorf("%d bytes, more than %d", len(value), limit)
	}
	var head struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return body, fmt.Errorf("not a record: %w", err)
	}
	switch {
	case head.V == nil || *head.V < 1:
		return body, errors.New("no version")
	case *head.V > version:
		return body, fmt.Errorf("version %d, only %d is known here: %w", *head.V, version, errNewer)
	}
	if err := json.Unmarshal(value, &body); err != nil {
		return body, fmt.Errorf("not a record: %w", err)
	}
	return body, nil
}

// The decoders below also hold a record against its key: content in the wrong place is as
// unreadable as garbage.

func decodeReport(key string, value []byte) (api.Report, error) {
	r, err := decodeRecord[api.Report](value, recordLimit)
	if err != nil {
		return r, err
	}
	if string(r.Instance) != key {
		return r, fmt.Errorf("names instance %q", r.Instance)
	}
	for _, s := range r.Subnets {
		if err := checkPrefix(s.Prefix); err != nil {
			return r, err
		}
	}
	return r, nil
}

func decodePresence(key string, value []byte) (presence, error) {
	p, err := decodeRecord[presence](value, recordLimit)
	if err == nil && string(p.Instance) != key {
		err = fmt.Errorf("names instance %q", p.Instance)
	}
	return p, err
}

func decodeClaim(key string, value []byte) (api.Claim, error) {
	prefix, err := parsePrefixKey(key)
	if err != nil {
		return api.Claim{}, err
	}
	c, err := decodeRecord[api.Claim](value, recordLimit)
	switch {
	case err != nil:
	case c.Prefix != prefix:
		err = fmt.Errorf("names prefix %q", c.Prefix)
	case c.Instance == "":
		err = errors.New("names no instance")
	}
	return c, err
}

func decodeRoute(key string, value []byte) (api.RouteStatus, error) {
	prefix, err := parsePrefixKey(key)
	if err != nil {
		return api.RouteStatus{}, err
	}
	s, err := decodeRecord[api.RouteStatus](value, recordLimit)
	if err == nil && s.Destination != prefix {
		err = fmt.Errorf("names destination %q", s.Destination)
	}
	return s, err
}

func decodeConfig(value []byte) (api.Config, error) {
	c, err := decodeRecord[api.Config](value, recordLimit)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return c, err
	}
	// People write this record: a misspelt key would silently be a default.
	var strict struct {
		V int `json:"v"`
		api.Config
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	return c, d.Decode(&strict)
}

func decodePass(value []byte) (api.Pass, error) { return decodeRecord[api.Pass](value, passLimit) }

func checkPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return errors.New("a subnet without a prefix")
	case p != p.Masked():
		return fmt.Errorf("%s has host bits set", p)
	}
	return nil
}
