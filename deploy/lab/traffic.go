package lab

import (
	"context"
	"fmt"
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

// Stream pings the container of one host from that of another, 20 times a second, until
// the context ends, and counts what was lost. The containers are found at the start.
func (v Inventory) Stream(ctx context.Context, from, to Host) (Traffic, error) {
	near, err := find(ctx, v.Name, from)
	if err != nil {
		return Traffic{}, err
	}
	far, err := find(ctx, v.Name, to)
	if err != nil {
		return Traffic{}, err
	}
	p, err := newPinger(near.netns, far.addr)
	if err != nil {
		return Traffic{}, err
	}
	defer p.close()
	answered := make(chan map[uint16]bool, 1)
	over, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { answered <- p.collect(over) }() // ends with over, which this function ends
	sent := p.stream(ctx)
	time.AfterFunc(replyLimit, stop)
	return tally(sent, <-answered), nil
}

// stream sends requests at an even pace until the context ends, and tells how many. Their
// numbers begin at 1 and wrap around after an hour.
func (p *pinger) stream(ctx context.Context) int {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for sent := 0; ; {
		select {
		case <-ctx.Done():
			return sent
		case <-tick.C:
			sent++
			_ = p.send(uint16(sent)) // what could not be sent is not answered
		}
	}
}

// collect notes the numbers that are answered until the context ends.
func (p *pinger) collect(ctx context.Context) map[uint16]bool {
	seen := make(map[uint16]bool)
	for ctx.Err() == nil {
		if seq, err := p.receive(time.Now().Add(100 * time.Millisecond)); err == nil {
			seen[seq] = true
		}
	}
	return seen
}

func tally(sent int, answered map[uint16]bool) Traffic {
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
