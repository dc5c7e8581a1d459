package dockerd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sealane/sealane/api"
)

// byteOrderMark begins files that some editors write. dockerd reads past it, and so do we.
const byteOrderMark = "\ufeff"

// options is dockerd's configuration file as it is, so that options can be set and
// taken out with every other byte left in its place.
type options struct {
	text    []byte
	start   int // behind the byte order mark
	open    int // behind the brace that opens the object
	end     int // at the brace that closes it
	members []member
}

// member is one option, by its place in the text.
type member struct {
	name              string
	start, value, end int
}

// parseOptions reads a file's content; an empty one is that of no options. What is not
// one JSON object is ErrInvalid, with the place in the message.
func parseOptions(text []byte) (*options, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	c := &options{text: text}
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		c.start = len(byteOrderMark)
	}
	d := json.NewDecoder(bytes.NewReader(text[c.start:]))
	if err := c.readMembers(d); err != nil {
		at := d.InputOffset()
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = syntax.Offset
		}
		at += int64(c.start)
		return nil, fmt.Errorf("byte %d: %w: %w", at, err, api.ErrInvalid)
	}
	return c, nil
}

func (c *options) readMembers(d *json.Decoder) error {
	offset := func() int { return c.start + int(d.InputOffset()) }
	if first, err := d.Token(); err != nil {
		return err
	} else if first != json.Delim('{') {
		return errors.New("not an object")
	}
	c.open = offset()
	for d.More() {
		from := offset()
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		end := offset()
		c.members = append(c.members, member{
			name: fmt.Sprint(name), start: from + bytes.IndexByte(c.text[from:], '"'), value: end - len(value), end: end,
		})
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	c.end = offset() - 1
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// at is the place of an option among the members, -1 if it is not there. Of several of one
// name dockerd takes the last.
func (c *options) at(name string) int {
	for i, m := range slices.Backward(c.members) {
		if m.name == name {
			return i
		}
	}
	return -1
}

// value is that of an option as written; empty if it is not there.
func (c *options) value(name string) string {
	if i := c.at(name); i >= 0 {
		return string(c.text[c.members[i].value:c.members[i].end])
	}
	return ""
}

// set gives an option a value. A new one comes last, written as the first one is.
func (c *options) set(name, value string) (*options, error) {
	if i := c.at(name); i >= 0 {
		return c.splice(c.members[i].value, c.members[i].end, value)
	}
	if len(c.members) == 0 {
		return c.splice(c.open, c.end, fmt.Sprintf("\n    %q: %s\n", name, value))
	}
	first, last := c.members[0], c.members[len(c.members)-1]
	indent := string(c.text[c.open:first.start])
	colon := string(c.text[first.start:first.value])
	colon = colon[strings.LastIndexByte(colon, '"')+1:]
	return c.splice(last.end, last.end, fmt.Sprintf(",%s%q%s%s", indent, name, colon, value))
}

// drop takes an option out, with the comma that is then one too many.
func (c *options) drop(name string) (*options, error) {
	i := c.at(name)
	switch {
	case i < 0:
		return c, nil
	case i > 0:
		return c.splice(c.members[i-1].end, c.members[i].end, "")
	case len(c.members) > 1:
		return c.splice(c.members[0].start, c.members[1].start, "")
	default:
		return c.splice(c.open, c.end, "")
	}
}

func (c *options) splice(from, to int, text string) (*options, error) {
	return parseOptions(slices.Concat(c.text[:from], []byte(text), c.text[to:]))
}
