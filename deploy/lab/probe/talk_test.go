package probe

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"testing"
)

// A caller that gave up while it connected must not be taken for the one that talks.
func TestEchoAnswersTheCallerThatTalks(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	type end struct {
		source netip.Addr
		err    error
	}
	done := make(chan end, 1)
	go func() {
		source, err := echoLines(ctx, ln)
		done <- end{source, err}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp4", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	_ = dial().Close()
	conn := dial()
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for n := range 3 {
		if err := exchangeLine(conn, answers, n); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if got := <-done; got.err != nil || got.source != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("%+v", got)
	}
}
