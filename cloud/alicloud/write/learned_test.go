package write

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/api"
)

// What a gateway finds too long today it may take tomorrow.
func TestBatchesGrowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLearned()
		for want := 25; l.batchSize(api.Create) > 2; want = max(2, want/2) {
			l.tooLong(api.Create, l.batchSize(api.Create))
			if got := l.batchSize(api.Create); got != want {
				t.Fatalf("%d a call, want %d", got, want)
			}
		}
		if l.tooLong(api.Create, 2); l.batchSize(api.Create) != 1 {
			t.Errorf("%d a call, want 1: two were too many", l.batchSize(api.Create))
		}
		time.Sleep(Forgiven + time.Second)
		if got := l.batchSize(api.Create); got != 2 {
			t.Errorf("%d a call after %s, want 2", got, Forgiven)
		}
		time.Sleep(5 * Forgiven)
		if got := l.batchSize(api.Create); got != 50 {
			t.Errorf("%d a call after an hour, want 50", got)
		}
	})
}
