package lab

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/deploy/lab/engine"
	"github.com/sealane/sealane/deploy/lab/probe"
)

// Report tells which containers reach which: the document of `sealane-lab check -o json`.
type Report struct {
	Schema string `json:"schema"` // api.SchemaCheck
	Pairs  []Pair `json:"pairs"`  // every ordered pair of hosts
}

// Pair is what came of one ping and one TCP exchange between the containers of two hosts.
type Pair struct {
	From     string     `json:"from"` // names of hosts
	To       string     `json:"to"`
	FromAddr netip.Addr `json:"fromAddr,omitzero"`
	ToAddr   netip.Addr `json:"toAddr,omitzero"`
	Ping     bool       `json:"ping"`
	TCP      bool       `json:"tcp"`
	Source   netip.Addr `json:"source,omitzero"` // the address that the other end saw
	Problem  string     `json:"problem,omitempty"`
}

// OK reports whether every pair answered both. A report without pairs proves nothing and
// is not OK.
func (r Report) OK() bool {
	return len(r.Pairs) > 0 && r.countPairs(func(p Pair) bool { return p.Ping && p.TCP }) == len(r.Pairs)
}

// Silent reports whether no pair answered anything.
func (r Report) Silent() bool { return r.countPairs(func(p Pair) bool { return p.Ping || p.TCP }) == 0 }

// SourcesKept reports whether every pair answered, and each end saw the other container's
// own address.
func (r Report) SourcesKept() bool {
	return r.OK() && r.countPairs(func(p Pair) bool { return p.Source == p.FromAddr }) == len(r.Pairs)
}

func (r Report) countPairs(is func(Pair) bool) int {
	n := 0
	for _, p := range r.Pairs {
		if is(p) {
			n++
		}
	}
	return n
}

// Check pings, and exchanges over TCP, between the containers of every ordered pair of
// hosts, each for at most patience. A failed pair is no error; it stands in the report.
func (v Inventory) Check(ctx context.Context, patience time.Duration) Report {
	found := make(map[int]engine.Container, len(v.Hosts))
	problems := make(map[int]string)
	for _, h := range v.Hosts {
		c, err := v.findContainer(ctx, h)
		if err != nil {
			problems[h.Index] = err.Error()
		}
		found[h.Index] = c
	}
	r := Report{Schema: api.SchemaCheck, Pairs: []Pair{}}
	for _, from := range v.Hosts {
		for _, to := range v.Hosts {
			if from.Index == to.Index {
				continue
			}
			pair := Pair{From: from.Name, To: to.Name, FromAddr: found[from.Index].Addr, ToAddr: found[to.Index].Addr}
			if pair.Problem = problems[from.Index]; pair.Problem == "" {
				pair.Problem = problems[to.Index]
			}
			r.Pairs = append(r.Pairs, pair)
		}
	}
	namespaces := make(map[string]string, len(v.Hosts))
	for _, h := range v.Hosts {
		namespaces[h.Name] = found[h.Index].Netns
	}
	var g errgroup.Group
	g.SetLimit(64) // each holds a thread while it dials
	for i := range r.Pairs {
		g.Go(func() error {
			r.Pairs[i].probePair(ctx, namespaces[r.Pairs[i].From], patience)
			return nil
		})
	}
	_ = g.Wait() // its functions return none
	return r
}

// probePair fills in what came of the pair, seen from the namespace of its first end.
func (p *Pair) probePair(ctx context.Context, from string, patience time.Duration) {
	if p.Problem != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var pinged, exchanged error
	var g errgroup.Group
	g.Go(func() error {
		pinged = probe.Ping(ctx, from, p.ToAddr)
		return nil
	})
	g.Go(func() error {
		p.Source, exchanged = probe.Exchange(ctx, from, p.ToAddr)
		return nil
	})
	_ = g.Wait() // its functions return none
	p.Ping, p.TCP = pinged == nil, exchanged == nil
	switch {
	case pinged != nil:
		p.Problem = pinged.Error()
	case exchanged != nil:
		p.Problem = exchanged.Error()
	}
}
