package cloud

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/api"
)

// RuleMark is the description of a rule that Admit made for a cluster, within the cloud's 512
// characters. A rule has no other place that says whose it is.
func RuleMark(cluster string) string { return "managed-by=sealane;v=2;cluster=" + cluster }

// ValidateAdmit refuses what no Gates may open: a pool that is missing or everything would
// admit the world. Providers and the fake call it first. Errors are ErrInvalid.
func ValidateAdmit(group api.GroupID, cluster string, pools []netip.Prefix) error {
	if err := ValidateRevoke(group, cluster); err != nil {
		return err
	}
	for _, p := range pools {
		if !p.IsValid() || p.Addr().Is4In6() || p != p.Masked() || p.Bits() == 0 {
			return fmt.Errorf("admit %s to %s: not a pool: %w", p, group, api.ErrInvalid)
		}
	}
	return nil
}

// ValidateRevoke refuses a cluster or a group that could be taken for another one.
func ValidateRevoke(group api.GroupID, cluster string) error {
	switch {
	case group == "":
		return fmt.Errorf("rules of %s: no security group: %w", cluster, api.ErrInvalid)
	case cluster == "" || strings.ContainsAny(cluster, ";=") || len(RuleMark(cluster)) > 512:
		return fmt.Errorf("rules of %s: cluster %q cannot be marked: %w", group, cluster, api.ErrInvalid)
	}
	return nil
}
