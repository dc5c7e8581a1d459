package alicloud

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/write"
	"github.com/sealane/sealane/cloud/alisim"
)

// A destination that a prefix list has is refused at once, alone or in a batch; and what an
// answer said stays in the error, where nothing shows why.
func TestTakenByWhatDoesNotShow(t *testing.T) {
	for name, test := range map[string]struct {
		fault alisim.Fault
		want  error
		calls int
	}{
		"a prefix list":               {alisim.Fault{Code: "OperationFailed.CidrConflictWithPrefixList"}, api.ErrRefused, 1},
		"a prefix list, in a batch":   {alisim.Fault{Fail: 1, FailCode: "ResourceAlreadyAssociated.PrefixList"}, api.ErrRefused, 1},
		"nothing, and a batch failed": {alisim.Fault{Fail: 1, FailCode: "VPC_ROUTE_ENTRY_CIDR_BLOCK_DUPLICATE", Times: -1}, api.ErrBusy, write.Tries},
		"nothing":                     {alisim.Fault{Code: "RouteConflict.AlreadyExist", Times: -1}, api.ErrBusy, write.Tries},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r rig) {
				test.fault.Action = batchCreate
				r.sim.Fault(test.fault)
				result := r.apply(t, creates(0, 1)...)[0]
				isKind(t, result, test.want)
				if code := test.fault.Code + test.fault.FailCode; !strings.Contains(fmt.Sprint(result.Err), code) {
					t.Errorf("%v does not say %s", result.Err, code)
				}
				if n := r.calls(batchCreate); n != test.calls {
					t.Errorf("%d calls, want %d", n, test.calls)
				}
			})
		})
	}
}
