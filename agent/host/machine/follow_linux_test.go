package machine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// broken is a socket that fails.
type broken struct{}

func (broken) Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error) {
	return nil, nil, errors.New("the socket broke")
}

func TestFollow(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want bool
	}{
		{"a socket that fails is told", t.Context(), true},
		{"one that is closed in the end is not", ended, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			h.follow(tt.ctx, broken{}, h.routeMatters, func() {})
			if have := strings.Contains(log.String(), "the socket broke"); have != tt.want {
				t.Errorf("logged %q", &log)
			}
		})
	}
}
