package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sealane/sealane/api"
)

const maxCredentials = 64 << 10

// readCredentials reads a file with an access key in one of the vendor's two forms: the
// profile [default] of a credentials file, or the JSON of an STS answer. No error quotes
// what the file says beyond the names of its fields.
func readCredentials(path string) (Credential, error) {
	text, err := readPrivate(path)
	if err != nil {
		return Credential{}, err
	}
	c, err := parseCredentials(text)
	if err != nil {
		return Credential{}, fmt.Errorf("credentials file %s: %w", path, err)
	}
	return c, nil
}

// readPrivate reads a file that the world cannot.
func readPrivate(path string) ([]byte, error) {
	// Without O_NONBLOCK a pipe would hold the caller for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("credentials file: %w: %w", kindOfFile(err), err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("credentials file: %w: %w", api.ErrInvalid, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("credentials file %s: not a regular file: %w", path, api.ErrInvalid)
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("credentials file %s: mode %04o lets every user of this machine at the key; chmod o= %s: %w",
			path, info.Mode().Perm(), path, api.ErrInvalid)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("credentials file: %w: %w", api.ErrInvalid, err)
	case len(text) > maxCredentials:
		return nil, fmt.Errorf("credentials file %s: longer than 64 KiB: %w", path, api.ErrInvalid)
	}
	return text, nil
}

func kindOfFile(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return api.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		return api.ErrPermission
	default:
		return api.ErrInvalid
	}
}

func parseCredentials(text []byte) (Credential, error) {
	text = bytes.TrimSpace(text)
	parse := parseProfile
	if bytes.HasPrefix(text, []byte("{")) {
		parse = parseAnswer
	}
	c, err := parse(text)
	switch {
	case err != nil:
		return Credential{}, err
	case c.ID == "" || c.Secret == "":
		return Credential{}, fmt.Errorf("an access key is an id and a secret, and one of them is missing: %w", api.ErrInvalid)
	}
	return c, nil
}

// parseAnswer reads {"AccessKeyId": ..., "AccessKeySecret": ..., "SecurityToken": ...,
// "Expiration": ...}, as AssumeRole and the metadata service give it, alone or as the
// member Credentials of a whole answer. Other members are theirs and pass.
func parseAnswer(text []byte) (Credential, error) {
	type keys struct {
		AccessKeyId, AccessKeySecret, SecurityToken string
		Expiration                                  time.Time
	}
	var answer struct {
		keys
		Credentials keys
	}
	// The decoder's own error may quote a part of a secret.
	if json.Unmarshal(text, &answer) != nil {
		return Credential{}, fmt.Errorf("not the JSON of an STS answer: %w", api.ErrInvalid)
	}
	k := answer.keys
	if k == (keys{}) {
		k = answer.Credentials
	}
	return Credential{Secret(k.AccessKeyId), Secret(k.AccessKeySecret), Secret(k.SecurityToken), k.Expiration}, nil
}

// parseProfile reads the fields of [default], or those before any section. Other profiles
// pass; an unknown field does not: it may be a misspelt one.
func parseProfile(text []byte) (Credential, error) {
	var c Credential
	kind := ""
	fields := map[string]func(string){
		"access_key_id":     func(v string) { c.ID = Secret(v) },
		"access_key_secret": func(v string) { c.Secret = Secret(v) },
		"security_token":    func(v string) { c.Token = Secret(v) },
		"type":              func(v string) { kind = v },
		"enable":            func(string) {}, // a profile that is named here is meant
	}
	ours := true
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			ours = line == "[default]"
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		set := fields[strings.TrimSpace(name)]
		switch {
		case !ours:
		case !ok || set == nil:
			// The line is not quoted: it may be a secret without its name.
			return Credential{}, fmt.Errorf("line %d is none of %s with a value: %w",
				number, strings.Join(slices.Sorted(maps.Keys(fields)), ", "), api.ErrInvalid)
		default:
			set(strings.TrimSpace(value))
		}
	}
	if kind != "" && kind != "access_key" && kind != "sts" {
		return Credential{}, fmt.Errorf("type is neither access_key nor sts: %w", api.ErrInvalid)
	}
	return c, nil
}
