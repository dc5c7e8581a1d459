package machine

import (
	"context"

	"github.com/sealane/sealane/agent/host"
)

// Path asks the kernel which way packets go. It changes nothing.
func (h *Host) Path(_ context.Context, q host.PathQuestion) (host.Path, error) {
	return h.routes.Read(q)
}
