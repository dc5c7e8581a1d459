package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
)

// served is the address of a simulator that is served as the command does.
func served(t *testing.T) string {
	t.Helper()
	sim, err := alisim.New(alisim.Example(), alisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveSim(ctx, listener, sim.API()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("served until %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func TestSimAnswersLongRequestLines(t *testing.T) {
	url := served(t)
	for _, size := range []int{20 << 10, 1 << 20} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/?Description="+strings.Repeat("x", size), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestURITooLong || !strings.Contains(string(text), "<html>") {
			t.Errorf("%d bytes: %s %.80s", size, answer.Status, text)
		}
	}
}

func TestSimTakesItsTime(t *testing.T) {
	if s := simServer(nil); s.WriteTimeout != 0 || s.ReadTimeout != 0 {
		t.Errorf("an answer that a fault delays is cut: %s, %s", s.ReadTimeout, s.WriteTimeout)
	}
}
