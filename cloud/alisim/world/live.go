package world

import (
	"sync"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Live is a world in which time passes. It may be used from several goroutines: whoever works
// on the world does so through it, one at a time. Time is read from the clock whenever
// somebody comes; there are no goroutines.
type Live struct {
	mu      sync.Mutex // guards all below, and what others keep beside the world
	world   *World
	writer  ForeignWriter // or nil
	changed chan struct{} // closed and replaced at each change
}

// ForeignWriter changes a world by the clock, beside the world's own tasks. Its methods are
// called while the world is held.
type ForeignWriter interface {
	// RunDueEdits makes the edits that are due and reports whether any changed something.
	RunDueEdits(w *World, now time.Time) (changed bool)

	// NextEdits is when edits are due next; ok is false when none are to come.
	NextEdits() (at time.Time, ok bool)
}

// NewLive brings a seed to life that was completed and found valid.
func NewLive(from seed.Seed) *Live {
	return &Live{world: newWorld(from, time.Now()), changed: make(chan struct{})}
}

// AddWriter lets a foreign writer act by the clock.
func (l *Live) AddWriter(writer ForeignWriter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writer = writer
}

// Locked runs a function while nobody else works on the world, at the time it was last seen.
func (l *Live) Locked(do func(*World)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(l.world)
	l.wakeIfTouched()
}

// Settled is Locked after time has passed up to now.
func (l *Live) Settled(do func(*World)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(time.Now())
	do(l.world)
}

// Work is Settled for what may change the world: it wakes those who wait for a change when
// the world was touched.
func (l *Live) Work(do func(w *World, now time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.settle(now)
	err := do(l.world, now)
	l.wakeIfTouched()
	return err
}

// DryRun is Work on a copy of the world: nothing happens, but an id that was told is not
// given again.
func (l *Live) DryRun(do func(w *World, now time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.settle(now)
	w := l.world.clone()
	defer func() { l.world.Serial = w.Serial }()
	return do(w, now)
}

// Change is Work for a change that always counts as one, unless it fails.
func (l *Live) Change(do func(*World) error) error {
	return l.Work(func(w *World, _ time.Time) error {
		if err := do(w); err != nil {
			return err
		}
		w.Touch()
		return nil
	})
}

// settle lets time pass in the model. The caller holds mu.
func (l *Live) settle(now time.Time) {
	changed := l.world.settle(now)
	if l.writer != nil {
		changed = l.writer.RunDueEdits(l.world, now) || changed
	}
	if changed {
		l.wake()
	}
}

func (l *Live) wakeIfTouched() {
	if l.world.touched {
		l.wake()
	}
}

// wake tells those who wait for a change. The caller holds mu.
func (l *Live) wake() {
	l.world.touched = false
	close(l.changed)
	l.changed = make(chan struct{})
}
