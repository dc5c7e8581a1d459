package etcdtest_test

import (
	"testing"

	"github.com/sealane/sealane/api/registry/etcdtest"
)

func TestServerKeepsDataOverRestart(t *testing.T) {
	s := etcdtest.Start(t)
	if _, err := s.Client.Put(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Restart()
	resp, err := s.Client.Get(t.Context(), "a")
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("after restart: %v, %v", resp, err)
	}
}
