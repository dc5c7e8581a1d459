package write

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/cloud"
)

func TestContextEndsWhileAnotherApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Config{})
		w.turn <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if results, err := w.Apply(ctx, nil, cloud.Always); !errors.Is(err, context.DeadlineExceeded) || results != nil {
			t.Errorf("got %v, %v", results, err)
		}
	})
}
