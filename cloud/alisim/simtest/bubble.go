package simtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cloud/alisim"
)

// InBubble runs a test with a fake clock and changes that take taskTime.
func InBubble(t *testing.T, f func(*testing.T, *alisim.Sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, New(t, alisim.Options{TaskTime: TaskTime})) })
}

// ExpectEntries demands the custom entries of vtb-1, as [CustomEntries] lists them.
func ExpectEntries(t *testing.T, sim *alisim.Sim, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, CustomEntries(sim)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// TaskTime is how long a change takes in a bubble.
const TaskTime = 3 * time.Second
