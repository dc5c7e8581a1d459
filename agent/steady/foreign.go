package steady

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/agent/firewall"
)

// Foreign is a word for the rules, policies and sets of others: the same for two dumps that have
// the same, whatever was counted meanwhile, however the kernel numbers them, and whatever we keep
// beside them. [Reading] has it in Outside.
func Foreign(d firewall.Dump) string {
	sum := fnv.New64a()
	for _, text := range []string{d.NFT, d.NFT6, d.Legacy, d.Legacy6} {
		addSaved(sum, text)
	}
	if !addListed(sum, d.Ruleset) {
		_, _ = io.WriteString(sum, d.Ruleset)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Sets)) {
		if !mentionsUs(name) {
			_, _ = fmt.Fprint(sum, name, d.Sets[name])
		}
	}
	_, _ = fmt.Fprint(sum, d.Dormant, d.Unread)
	return strconv.FormatUint(sum.Sum64(), 36)
}

// mentionsUs reports whether a rule, as printed, is ours or leads to ours: tables, chains, sets
// and comments of ours are all named so.
func mentionsUs(text string) bool {
	return strings.Contains(text, "sealane") || strings.Contains(text, "SEALANE")
}

func addSaved(sum io.Writer, text string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") || mentionsUs(line) {
			continue
		}
		if strings.HasPrefix(line, ":") {
			line, _, _ = strings.Cut(line, "[")
		}
		_, _ = io.WriteString(sum, line)
	}
}

// counted is what nft's JSON tells that changes by itself.
var counted = regexp.MustCompile(`"(handle|packets|bytes|expires|used)": *[0-9]+`)

// addListed adds the objects that are not ours, and reports whether the text is JSON.
func addListed(sum io.Writer, text string) bool {
	documents := json.NewDecoder(strings.NewReader(text))
	for {
		var document struct {
			Objects []map[string]json.RawMessage `json:"nftables"`
		}
		if err := documents.Decode(&document); err != nil {
			return errors.Is(err, io.EOF)
		}
		for _, o := range document.Objects {
			for kind, raw := range o {
				if kind != "metainfo" && !mentionsUs(string(raw)) {
					_, _ = sum.Write(counted.ReplaceAll(lasting(raw), nil))
				}
			}
		}
	}
}

// lasting is an object without the elements of a set that packets, or the time, change.
func lasting(raw json.RawMessage) []byte {
	var set struct {
		Flags []string `json:"flags"`
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &set) != nil || !slices.Contains(set.Flags, "dynamic") && !slices.Contains(set.Flags, "timeout") || json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	delete(fields, "elem")
	short, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return short
}
