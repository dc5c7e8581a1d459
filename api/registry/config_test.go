package registry

import (
	"errors"
	"strings"
	"testing"
)

// People write this record by hand: what they misspell must not pass for a default.
func TestDecodeConfigIsStrict(t *testing.T) {
	const rest = `"pools":["10.0.0.0/8"],"policy":"full","sourceMode":"keep"`
	good := `{"v":1,` + rest + `,"guard":{"maxDeletes":5,"maxDeleteShare":0.1}}`
	if c, err := decodeConfig([]byte(good)); err != nil || c.Guard.MaxDeletes != 5 {
		t.Errorf("got %+v, %v", c, err)
	}
	for text, want := range map[string]string{
		`{"v":1,` + rest + `,"guard":{"maxDelets":5}}`: `unknown field "maxDelets"`,
		`{"v":1,` + rest + `,"confirm":"x"}`:           `unknown field "confirm"`,
		`{"v":1,` + rest + `,"policy":"all"}`:          `"all" is none of`,
	} {
		if _, err := decodeConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want ...%s...", text, err, want)
		}
	}
	if _, err := decodeConfig([]byte(`{"v":2,"new":1}`)); !errors.Is(err, errNewer) {
		t.Errorf("a newer record is newer, not wrong: %v", err)
	}
}
