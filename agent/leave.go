package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/api"
)

// Leave takes the host out of service on purpose: its claims are released and its routes
// withdrawn. The record must be this host's: one with another private address or VPC is
// refused with ErrRefused, since an instance id given by hand is easily another's.
func Leave(ctx context.Context, id Identity, registry Registry) (api.Report, error) {
	snapshot, err := registry.Snapshot(ctx)
	if err != nil {
		return api.Report{}, err
	}
	own := hostOf(&snapshot, id.Instance)
	if own == nil {
		return api.Report{}, fmt.Errorf("leave: host %s is not in the registry: %w", id.Instance, api.ErrNotFound)
	}
	if own.IP != id.IP || own.VPC != id.VPC {
		return api.Report{}, fmt.Errorf("leave: host %s is registered with %s in %s, this machine has %s in %s: %w",
			own.Label(), own.IP, own.VPC, id.IP, id.VPC, api.ErrRefused)
	}
	report := own.Report
	report.Left = true
	report.At = time.Now().UTC()
	_, err = registry.Report(ctx, report)
	return report, err
}
