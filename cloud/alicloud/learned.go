package alicloud

import (
	"sync"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// learned is what the provider found out about its cloud, kept for its own life. It makes
// calls fewer and waits shorter, and is evidence of nothing.
type learned struct {
	mu      sync.Mutex // guards all below
	size    map[api.Verb]int
	single  map[api.Verb]bool
	pending map[api.Verb]time.Duration
	entries map[api.TableID]int
	fixed   map[api.TableID]time.Time // until when entries are taken for not to be modified
}

// forgiven is how long a denied modify is believed: permissions change.
const forgiven = 10 * time.Minute

func newLearned() *learned {
	return &learned{
		size: map[api.Verb]int{}, single: map[api.Verb]bool{},
		pending: map[api.Verb]time.Duration{}, entries: map[api.TableID]int{},
		fixed: map[api.TableID]time.Time{},
	}
}

// batch is how many changes of a verb go into one call. There is no batch of replaces.
func (l *learned) batch(verb api.Verb) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n, known := l.size[verb]; {
	case verb == api.Replace || l.single[verb]:
		return 1
	case known:
		return n
	default:
		return cloud.BatchLimit
	}
}

// tooLong notes that a request with n entries was too long for the gateway.
func (l *learned) tooLong(verb api.Verb, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size[verb] = max(1, n/2)
}

// alone reports whether the batch action is not permitted.
func (l *learned) alone(verb api.Verb) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.single[verb]
}

// forbid notes that the batch action is not permitted, and reports whether that is news.
func (l *learned) forbid(verb api.Verb) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := !l.single[verb]
	l.single[verb] = true
	return news
}

// unmodifiable notes that entries of a table may not be modified, and reports whether that is
// news.
func (l *learned) unmodifiable(table api.TableID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, before := l.fixed[table]
	l.fixed[table] = time.Now().Add(forgiven)
	return !before
}

// mayModify reports whether nothing is known against modifying entries of a table.
func (l *learned) mayModify(table api.TableID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().After(l.fixed[table])
}

// pause is how long a change of this verb is pending as a rule; 0 when that is not known.
func (l *learned) pause(verb api.Verb) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending[verb]
}

// took notes that a change was pending at a look, which is 0 for none, and done at the next.
// One that was done at the first look may have been done for a while: so the estimate
// shrinks until a look comes too early, and stays close to the truth.
func (l *learned) took(verb api.Verb, pending, done time.Duration) {
	sample := (pending + done) / 2
	if pending == 0 {
		sample = done - done/40
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.pending[verb]; before > 0 {
		sample = (before + sample) / 2
	}
	l.pending[verb] = sample
}

// counted notes how many custom entries a table has.
func (l *learned) counted(table api.TableID, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[table] = n
}

// grew notes that a create was sent.
func (l *learned) grew(table api.TableID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, known := l.entries[table]; known {
		l.entries[table] = n + 1
	}
}

// count is about how many custom entries a table has; ok is false when it was never listed.
func (l *learned) count(table api.TableID) (n int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok = l.entries[table]
	return n, ok
}
