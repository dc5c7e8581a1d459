package dockerd

import (
	"fmt"
	"strings"

	"github.com/sealane/sealane/api"
)

// The engine's options that make it accept marks: the first takes away the drops that no
// mark gets past, the second names the mark. Engines that write nftables know both; none
// takes them without a restart, whatever it says when told to reload.
const (
	optionDirect = "allow-direct-routing"
	optionMark   = "bridge-accept-fwmark"
)

// guardTable is the nft table of ours that stands in for Docker's drops while the first of
// the options takes them away.
const guardTable = "sealane-mark"

// enrolment is what was changed of the engine's options. It is remembered until Docker's own
// table shows that the engine goes by them no more.
type enrolment struct {
	Path      string  `json:"path"`
	Former    *string `json:"former"`              // content before; nil if there was no file
	Left      string  `json:"left"`                // content as we left it
	Mark      bool    `json:"mark,omitempty"`      // the mark is ours as well
	Restarted bool    `json:"restarted,omitempty"` // the engine was restarted for it, or that was tried
}

// inForce reports whether dockerd may go by our options, as far as its table tells. It drops
// nothing of what is addressed to a container then; nor does it without containers, so that
// the mark tells more, if it is ours.
func (e enrolment) inForce(d Table) bool {
	return d.Native != nil && !d.Native.Drops && (!e.Mark || d.Starting || d.Native.Mask != 0)
}

func (e enrolment) restartPending() error {
	return fmt.Errorf("dockerd was started with %q and goes by it until it is restarted; up to then table %s keeps others away from containers: restart Docker, then run cleanup again: %w",
		optionDirect, guardTable, api.ErrRefused)
}

// back is the content to put back, given the content now; nil for no file.
func (e enrolment) back(now *string) (*string, error) {
	if now == nil {
		return nil, nil // somebody removed it, and its former content with it
	}
	if *now == e.Left {
		return e.Former, nil
	}
	have, err := parseOptions([]byte(*now))
	if err != nil {
		return nil, err
	}
	left, err := parseOptions([]byte(e.Left))
	if err != nil {
		return nil, err
	}
	former := &options{}
	if e.Former != nil {
		if former, err = parseOptions([]byte(*e.Former)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{optionMark, optionDirect} {
		was := former.value(name)
		if have.value(name) != left.value(name) || was == left.value(name) {
			continue // it is not ours, or not ours any more
		}
		if was == "" {
			have, err = have.drop(name)
		} else {
			have, err = have.set(name, was)
		}
		if err != nil {
			return nil, err
		}
	}
	text := string(have.text)
	return &text, nil
}

// optionsText is the command that makes the change of a file. It shows our options only: the
// others may hold passwords, as those of proxies do.
func optionsText(path string, from, to *string) string {
	switch {
	case to == nil:
		return "rm " + path
	case from == nil:
		return fmt.Sprintf("cat >%s <<'END'\n%s\nEND", path, strings.TrimSuffix(*to, "\n"))
	}
	var filters []string
	before, err := parseOptions([]byte(*from))
	after, failure := parseOptions([]byte(*to))
	if err != nil || failure != nil {
		return "# change " + path
	}
	for _, name := range []string{optionDirect, optionMark} {
		switch value := after.value(name); {
		case value == before.value(name):
		case value == "":
			filters = append(filters, fmt.Sprintf("del(.%q)", name))
		default:
			filters = append(filters, fmt.Sprintf(".%q = %s", name, value))
		}
	}
	return fmt.Sprintf("jq '%s' %[2]s >%[2]s.new && mv %[2]s.new %[2]s", strings.Join(filters, " | "), path)
}
