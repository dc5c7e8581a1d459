package main

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/server"
	"github.com/sealane/sealane/cmd/cli/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sealane": main})
}

// TestScripts runs sessions with the real command. "serve FILE" starts a controller's API that
// shows the status in FILE as it is at each request, and points SEALANE_SERVER at it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "exits": clitest.Exits},
	})
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve FILE")
	}
	srv := httptest.NewServer(server.New(file(ts.MkAbs(args[0])), nil, slog.New(slog.DiscardHandler)))
	ts.Defer(srv.Close)
	ts.Setenv("SEALANE_SERVER", srv.URL)
}

// file is a status kept in a file.
type file string

func (f file) Status() (api.Status, error) {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return api.Status{}, err
	}
	var s api.Status
	err = json.Unmarshal(text, &s)
	return s, err
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59 * time.Minute: "59m",
		time.Hour: "1h", 47 * time.Hour: "47h", 48 * time.Hour: "2d",
	} {
		if got := ageText(now.Add(-d), now); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
	if got := ageText(time.Time{}, now); got != "-" {
		t.Errorf("never: got %s", got)
	}
}
