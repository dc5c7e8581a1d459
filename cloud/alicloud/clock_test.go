package alicloud

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
)

// The cloud refuses requests that are signed at another time than its own: that is this machine's
// clock, and no permission is missing.
func TestClockOfThisMachine(t *testing.T) {
	for _, code := range []string{"InvalidTimeStamp.Expired", "IllegalTimestamp"} {
		for date, want := range map[string][2]string{
			time.Now().Add(20 * time.Minute).UTC().Format(http.TimeFormat):  {"this machine's clock is off by 1", "behind the cloud's"},
			time.Now().Add(-20 * time.Minute).UTC().Format(http.TimeFormat): {"this machine's clock is off by 1", "ahead of the cloud's"},
			time.Now().UTC().Format(http.TimeFormat):                        {"does not accept the time of this machine's clock", ""},
			"":                                                              {"does not accept the time of this machine's clock", ""},
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = []string{date}
				expired(w, code)
			}))
			var log strings.Builder
			c := config(server.URL)
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
			p, err := New(c)
			must(err)
			_, err = p.Network(t.Context())
			if text := fmt.Sprint(err); !errors.Is(err, api.ErrDenied) || !strings.Contains(text, want[0]) || !strings.Contains(text, want[1]) {
				t.Errorf("%s, answered at %q: got %v, want %q", code, date, err, want)
			}
			if strings.Contains(log.String(), "permission") {
				t.Errorf("%s: the log says %s", code, log.String())
			}
			p.Close()
			server.Close()
		}
	}
}
