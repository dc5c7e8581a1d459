package state_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealane/sealane/agent/host/state"
)

// settings and engine are the records of two parts.
type settings struct {
	Values map[string]string `json:"values,omitempty"`
}

type engine struct {
	Path string `json:"path,omitempty"`
}

func open(t *testing.T, dir string) (*state.Record[settings], *state.Record[engine]) {
	t.Helper()
	store := state.New(dir)
	a := state.NewRecord[settings](store, nil)
	b := state.NewRecord(store, func(former engine) (engine, error) { return former, nil })
	if err := store.Recall(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// TestRecords has two parts remember, each its own, in one file; at another boot one of them
// forgets.
func TestRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	a, b := open(t, dir)
	if err := a.Remember(func(s *settings) { s.Values = map[string]string{"x": "1"} }); err != nil {
		t.Fatal(err)
	}
	if err := b.Remember(func(e *engine) { e.Path = "/etc" }); err != nil {
		t.Fatal(err)
	}
	a, b = open(t, dir)
	if a.Value().Values["x"] != "1" || b.Value().Path != "/etc" {
		t.Errorf("recalled %v and %v", a.Value(), b.Value())
	}
	path := filepath.Join(dir, "host.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`"where": "\S+`).ReplaceAll(text, []byte(`"where": "earlier`))
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	a, b = open(t, dir)
	if len(a.Value().Values) != 0 || b.Value().Path != "/etc" {
		t.Errorf("at another boot: %v and %v", a.Value(), b.Value())
	}
}

// TestRecallDamaged names the file that cannot be read.
func TestRecallDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "host.json")
	for _, text := range []string{`{"where":`, `{"values": 1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		store := state.New(dir)
		state.NewRecord[settings](store, nil)
		if err := store.Recall(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: recalled, %v", text, err)
		}
	}
}
