package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// maxSubnets bounds a report. Docker's own address pools give 31 networks.
const maxSubnets = 100

// Report records what an agent says of its host, claims the subnets it names and releases
// the claims it no longer names; a host that left keeps none. It returns the subnets that
// were refused: the record goes on listing them, so that everybody sees what is wrong, but
// somebody else holds the range. Nothing is written when there is no news.
//
// Report may be called again after any error. ErrBusy: too many others were claiming at
// the same time. ErrRefused: the host's record is of a newer version.
func (r *Registry) Report(ctx context.Context, report api.Report) ([]api.Conflict, error) {
	if err := checkReport(report); err != nil {
		return nil, err
	}
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	const attempts = 40
	for lost := 0; lost < attempts; {
		now, err := r.standing(ctx, report.Instance)
		if err != nil {
			return nil, err
		}
		todo, err := now.compare(report)
		if err != nil {
			return nil, err
		}
		t, err := todo.transaction(r.root, now.revision)
		if err != nil {
			return nil, err
		}
		if len(t.then) == 0 {
			return r.nameHolders(ctx, todo.conflicts)
		}
		done, err := r.commitIf(ctx, "report host "+string(report.Instance), t.guards, t.then)
		switch {
		case err != nil:
			return nil, err
		case done && t.whole:
			return r.nameHolders(ctx, todo.conflicts)
		case done:
			continue // a long report takes another transaction
		}
		lost++ // somebody else wrote in between
		if etcd.Pause(ctx, rand.N(20*time.Millisecond)) != nil {
			return nil, etcd.ReadError(ctx, r.client, "claim subnets", ctx.Err())
		}
	}
	return nil, fmt.Errorf("claim subnets of %s: other hosts keep claiming at the same time: %w", report.Instance, api.ErrBusy)
}

func checkReport(report api.Report) error {
	if err := checkInstance(report.Instance); err != nil {
		return err
	}
	if report.Uplink != "" && checkInstance(api.InstanceID(report.Uplink)) != nil {
		return fmt.Errorf("report of %s: uplink %q is not the id of an interface: %w", report.Instance, report.Uplink, api.ErrInvalid)
	}
	if len(report.Subnets) > maxSubnets {
		return fmt.Errorf("report of %s names %d subnets, more than %d: %w", report.Instance, len(report.Subnets), maxSubnets, api.ErrInvalid)
	}
	for _, s := range report.Subnets {
		if err := checkPrefix(s.Prefix); err != nil {
			return fmt.Errorf("report of %s: bridge %s: %w: %w", report.Instance, s.Bridge, err, api.ErrInvalid)
		}
	}
	return nil
}

// standing is what the registry holds when a report arrives.
type standing struct {
	revision int64
	own      *record // hosts/<instance>; nil when there is none
	claims   []held
}

// standing reads it: the host's own record and every claim, at one revision.
func (r *Registry) standing(ctx context.Context, id api.InstanceID) (standing, error) {
	records, revision, err := r.readAreas(ctx, "read the claims", areaHosts+string(id), areaSubnets)
	if err != nil {
		return standing{}, err
	}
	s := standing{revision: revision}
	for _, rec := range records {
		key, isClaim := rec.under(areaSubnets)
		if !isClaim {
			s.own = &rec
			continue
		}
		// A claim that cannot be read still holds the prefix its key names; one whose key
		// names none is shown in the snapshot and cannot overlap anything.
		if prefix, err := parsePrefixKey(key); err == nil {
			claim, _ := decodeClaim(key, rec.value)
			s.claims = append(s.claims, held{prefix, claim.Instance, rec})
		}
	}
	return s, nil
}

// tooNewError says that an older program met a record of a newer one.
func tooNewError(key string, err error) error {
	return fmt.Errorf("record %s: %w; upgrade this program: %w", key, err, api.ErrRefused)
}

// isNews reports whether the record must be written. Garbage in the host's own place is
// replaced, a record of a newer version is not.
func (s standing) isNews(report api.Report) (bool, error) {
	if s.own == nil {
		return true, nil
	}
	was, err := decodeReport(string(report.Instance), s.own.value)
	if errors.Is(err, errNewer) {
		return false, tooNewError(s.own.key, err)
	}
	return err != nil || !was.Equal(report), nil
}

// nameHolders completes the conflicts with the names of those who hold the ranges.
func (r *Registry) nameHolders(ctx context.Context, conflicts []api.Conflict) ([]api.Conflict, error) {
	var keys []string
	for _, c := range conflicts {
		if checkInstance(api.InstanceID(c.Holder)) == nil {
			keys = append(keys, areaHosts+c.Holder)
		}
	}
	if len(keys) == 0 {
		return conflicts, nil
	}
	records, _, err := r.readAreas(ctx, "read the holders", keys...)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	for _, rec := range records {
		key, _ := rec.under(areaHosts)
		if report, err := decodeReport(key, rec.value); err == nil {
			labels[key] = api.Host{Report: report}.Label()
		}
	}
	for i, c := range conflicts {
		if label, ok := labels[c.Holder]; ok {
			conflicts[i].Holder = label
		}
	}
	return conflicts, nil
}
