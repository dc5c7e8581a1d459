package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/sealane/sealane/api"
)

// shortestKey is in bytes; a key that people made up is guessed more easily than one is
// computed, so this is a floor and no measure.
const shortestKey = 16

// readSeal reads the secrets that marks are sealed with, the first one to seal with.
// With unkeyed, marks that were made without one are known as well.
func readSeal(files []string, unkeyed bool) (api.Seal, error) {
	var keys []api.MarkKey
	for _, file := range files {
		key, err := readKey(file)
		if err != nil {
			return api.Seal{}, fmt.Errorf("--mark-key-file %s: %w: %w", file, err, api.ErrUsage)
		}
		keys = append(keys, key)
	}
	if unkeyed && len(keys) > 0 {
		keys = append(keys, "")
	}
	return api.NewSeal(keys...), nil
}

func readKey(file string) (api.MarkKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", credentialReason(err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("everybody on this machine may read it (mode %04o); chmod o-rwx", info.Mode().Perm())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", credentialReason(err)
	}
	key := strings.TrimSpace(string(text))
	if len(key) < shortestKey {
		return "", fmt.Errorf("%d bytes are too short for a secret, want %d or more; make one with: openssl rand -hex 32", len(key), shortestKey)
	}
	return api.MarkKey(key), nil
}

// reason is an error of the file system without the path, which the caller names.
func credentialReason(err error) error {
	if e, ok := err.(*fs.PathError); ok { //nolint:errorlint // os returns this very type
		return e.Err
	}
	return err
}
