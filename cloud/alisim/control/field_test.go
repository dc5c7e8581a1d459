package control_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/cloud/alisim"
	"github.com/sealane/sealane/cloud/alisim/simtest"
)

func TestControlForgetsNothingIntoZero(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	before, err := json.Marshal(sim.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"tables/vtb-1/quota", "interfaces/i-1/source-dest-check", "interfaces/i-1/security-groups", "states/vpc-1",
		"instances/i-1/status", "vswitches/vsw-1/table", "vpcs/vpc-1/task-time",
	} {
		for _, body := range []string{`{}`, `null`, `{"entries":null,"groups":null}`, `{"no":1}`} {
			if status, got := simtest.AskControl(t, sim, "PUT", "/v1/world/"+path, body); status != 400 {
				t.Errorf("%s %s: %d %s", path, body, status, got)
			}
		}
	}
	for path, body := range map[string]string{"states/vpc-1": `{"state":"Bogus"}`, "instances/i-1/status": `{"status":""}`, "instances/i-2/status": `{"status":"Bogus"}`} {
		if status, got := simtest.AskControl(t, sim, "PUT", "/v1/world/"+path, body); status != 400 || !strings.Contains(got, "none of") {
			t.Errorf("%s %s: %d %s", path, body, status, got)
		}
	}
	after, err := json.Marshal(sim.Snapshot())
	if err != nil || string(after) != string(before) {
		t.Errorf("the world changed: %s", after)
	}
	if status, got := simtest.AskControl(t, sim, "PUT", "/v1/world/interfaces/i-1/security-groups", `{"groups":[]}`); status != 204 {
		t.Errorf("no groups at all: %d %s", status, got)
	}
}

func TestSettingsOfTwoAtOnce(t *testing.T) {
	sim := simtest.New(t, alisim.Options{})
	for n := 1; n <= 100; n++ {
		var both sync.WaitGroup
		for _, name := range []string{"readTime", "writeTime"} {
			both.Go(func() { simtest.AskControl(t, sim, "PUT", "/v1/settings", fmt.Sprintf(`{%q:"%dms"}`, name, n)) })
		}
		both.Wait()
		if o := sim.Options(); o.ReadTime != o.WriteTime {
			t.Fatalf("one change was lost: %s, %s", o.ReadTime, o.WriteTime)
		}
	}
}
