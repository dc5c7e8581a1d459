package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud"
)

// credentials checks that they come from one place, and says which are in use.
func (f *flags) credentials(c alicloud.Config) error {
	var set []string
	places := 0
	for _, place := range [][]struct{ name, value string }{
		{{keyID, string(c.AccessKeyID)}, {keySecret, string(c.AccessKeySecret)}, {keyToken, string(c.SecurityToken)}},
		{{"--credentials-file", f.credentialsFile}},
		{{"--ram-role", f.role}},
	} {
		before := len(set)
		for _, part := range place {
			if part.value != "" {
				set = append(set, part.name)
			}
		}
		if len(set) > before {
			places++
		}
	}
	whole := f.credentialsFile+f.role != "" || c.AccessKeyID != "" && c.AccessKeySecret != ""
	if places == 1 && whole {
		return nil
	}
	return fmt.Errorf("credentials: set %s and %s, or give --credentials-file or --ram-role, one of the three; set is now: %s: %w",
		keyID, keySecret, cmp.Or(strings.Join(set, ", "), "nothing"), api.ErrUsage)
}
