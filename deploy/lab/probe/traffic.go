package probe

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Traffic counts the echo requests of a stream.
type Traffic struct {
	Sent, Lost int
	Longest    int // most requests lost one after the other
}

func (t Traffic) String() string {
	return fmt.Sprintf("%d of %d echo requests lost, at most %d in a row", t.Lost, t.Sent, t.Longest)
}

// pingEvery is the pace of a stream; a request counts as lost after replyLimit.
const (
	pingEvery  = 50 * time.Millisecond
	replyLimit = time.Second
)

// Stream pings an address from inside the namespace at path from, 20 times a second, until the
// context ends, and counts what was lost.
func Stream(ctx context.Context, from string, to netip.Addr) (Traffic, error) {
	p, err := newPinger(from, to)
	if err != nil {
		return Traffic{}, err
	}
	defer p.close()
	answered := make(chan map[uint16]bool, 1)
	over, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() { answered <- p.collectReplies(over) }() // ends with over, which this function ends
	sent := p.sendStream(ctx)
	time.AfterFunc(replyLimit, cancel)
	return tallyReplies(sent, <-answered), nil
}

// sendStream sends requests at an even pace until the context ends, and tells how many. Their
// numbers begin at 1 and wrap around after an hour.
func (p *pinger) sendStream(ctx context.Context) int {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for sent := 0; ; {
		select {
		case <-ctx.Done():
			return sent
		case <-tick.C:
			sent++
			_ = p.sendRequest(uint16(sent)) // what could not be sent is not answered
		}
	}
}

// collectReplies notes the numbers that are answered until the context ends.
func (p *pinger) collectReplies(ctx context.Context) map[uint16]bool {
	seen := make(map[uint16]bool)
	for ctx.Err() == nil {
		if seq, err := p.receiveReply(time.Now().Add(100 * time.Millisecond)); err == nil {
			seen[seq] = true
		}
	}
	return seen
}

func tallyReplies(sent int, answered map[uint16]bool) Traffic {
	t := Traffic{Sent: sent}
	row := 0
	for seq := 1; seq <= sent; seq++ {
		if answered[uint16(seq)] {
			row = 0
			continue
		}
		row++
		t.Lost++
		t.Longest = max(t.Longest, row)
	}
	return t
}
