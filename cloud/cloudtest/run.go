package cloudtest

import (
	"context"
	"testing"
	"time"

	"github.com/sealane/sealane/cloud"
)

// Run holds an implementation of cloud.Tables and cloud.Gates to its contract. open is
// called once for each test and makes a new subject with a cloud of its own.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for _, group := range []map[string]func(*suite){
		readTests(), machineTests(), markTests(), hopTests(), changeTests(), refusalTests(), orderTests(), permitTests(), batchTests(),
		checkTests(), admitTests(), gateTests(),
	} {
		for _, name := range sortedKeys(group) {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				group[name](&suite{T: t, Subject: open(t), ctx: ctx, permit: cloud.Always, world: Small()})
			})
		}
	}
}
