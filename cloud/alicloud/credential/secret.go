package credential

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that no output shows: it prints as stars in every format, log and
// encoding. An empty one prints as nothing.
type Secret string

// Format implements fmt.Formatter: a Stringer alone is passed over by verbs that are not for
// texts.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
