package write

import (
	"sync"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// learned is what the writer found out about its cloud, kept for its own life. It makes
// calls fewer and waits shorter, and is evidence of nothing.
type learned struct {
	mu      sync.Mutex // guards all below
	size    map[api.Verb]size
	single  map[api.Verb]time.Time // until when batches are taken for denied
	denials map[scope]denial
	pending map[api.Verb]time.Duration
	trust   map[api.Verb]int          // how many times in a row pending may go unconfirmed
	fixed   map[api.TableID]time.Time // until when entries are taken for not to be modified
}

// size is how many entries the gateway takes in one call, as far as is known.
type size struct {
	n    int
	till time.Time // then twice as many are tried
}

const (
	// Forgiven is how long a denial or a limit is believed: permissions and gateways change.
	Forgiven = 10 * time.Minute

	mostTrust = 4
)

func newLearned() *learned {
	return &learned{
		size: map[api.Verb]size{}, single: map[api.Verb]time.Time{}, denials: map[scope]denial{},
		pending: map[api.Verb]time.Duration{}, trust: map[api.Verb]int{}, fixed: map[api.TableID]time.Time{},
	}
}

// batchSize is how many changes of a verb go into one call. There is no batch of replaces.
func (l *learned) batchSize(verb api.Verb) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if verb == api.Replace || time.Now().Before(l.single[verb]) {
		return 1
	}
	s, known := l.size[verb]
	for known && s.n < cloud.BatchLimit && time.Now().After(s.till) {
		s.n, s.till = 2*s.n, s.till.Add(Forgiven)
		l.size[verb] = s
	}
	if !known || s.n >= cloud.BatchLimit {
		return cloud.BatchLimit
	}
	return s.n
}

// tooLong notes that a request with n entries was too long for the gateway. Only when two
// were too many they are sent one by one.
func (l *learned) tooLong(verb api.Verb, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size[verb] = size{max(min(n-1, 2), n/2, 1), time.Now().Add(Forgiven)}
}

// oneByOne reports whether the batch action is not permitted.
func (l *learned) oneByOne(verb api.Verb) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.single[verb])
}

// denyBatches notes that the batch action is not permitted, and reports whether that is news.
func (l *learned) denyBatches(verb api.Verb) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := !time.Now().Before(l.single[verb])
	l.single[verb] = time.Now().Add(Forgiven)
	return news
}

// allowBatches takes that back.
func (l *learned) allowBatches(verb api.Verb) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.single, verb)
}

// scope is a verb in a table: what a RAM policy may deny.
type scope struct {
	verb  api.Verb
	table api.TableID
}

// denial is what changes of a verb in a table were answered.
type denial struct {
	err  error
	till time.Time
}

// deny notes that changes of a verb in a table are not permitted.
func (l *learned) deny(s scope, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denials[s] = denial{err, time.Now().Add(Forgiven)}
}

// denialOf is the answer that says so, while it is believed.
func (l *learned) denialOf(s scope) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.denials[s]; time.Now().Before(d.till) {
		return d.err
	}
	return nil
}

// denyModify notes that entries of a table may not be modified, and reports whether that is
// news.
func (l *learned) denyModify(table api.TableID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, before := l.fixed[table]
	l.fixed[table] = time.Now().Add(Forgiven)
	return !before
}

// mayModify reports whether nothing is known against modifying entries of a table.
func (l *learned) mayModify(table api.TableID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().After(l.fixed[table])
}

// usualTime is how long a change of this verb is pending as a rule; 0 when that is not known.
func (l *learned) usualTime(verb api.Verb) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending[verb]
}

// inDoubt reports whether changes of this verb may have become far quicker than is known: one
// that is done at the first read may have been done for a long while.
func (l *learned) inDoubt(verb api.Verb) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending[verb] > 0 && l.trust[verb] == 0
}

// noteTime notes that a change was pending at a read, which is 0 for none, and done at the next.
// One that was done at the first read may have been done for a while: so the estimate
// shrinks until a read comes too early, and stays close to the truth. One that was done at
// a much earlier read than the estimate shows that this was wrong.
func (l *learned) noteTime(verb api.Verb, pending, done time.Duration) {
	sample := (pending + done) / 2
	if pending < done/4*3 {
		sample = done - done/40
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.pending[verb]; before > 0 && done > before/4*3 {
		sample = (before + sample) / 2
	}
	l.pending[verb] = sample
	if pending >= done/3 {
		l.trust[verb] = min(2*l.trust[verb]+1, mostTrust)
	} else {
		l.trust[verb] = max(0, l.trust[verb]-1)
	}
}
