package controller

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/api"
)

// unlisted counts what the cloud counts in each table and does not list, such as prefix lists.
func unlisted(v view) map[api.TableID]int {
	listed, out := map[api.TableID]int{}, map[api.TableID]int{}
	for _, r := range v.have {
		listed[r.Table]++
	}
	for _, t := range v.network.Tables {
		out[t.ID] = max(0, t.Used-listed[t.ID])
	}
	return out
}

// quotas are the routes that the listed ones of each table may grow to.
func quotas(v view) map[api.TableID]int {
	out := map[api.TableID]int{}
	for _, t := range v.network.Tables {
		out[t.ID] = t.Quota - v.unlisted[t.ID]
	}
	return out
}

// tableUse counts what is in each table that could be read, and keeps one count a day.
func tableUse(cluster string, v view, last *api.Pass, now time.Time) []api.TableUse {
	var out []api.TableUse
	for _, t := range v.network.Tables {
		if slices.Contains(v.unread, t.ID) {
			if before, ok := lastUse(t.ID, last); ok {
				out = append(out, before)
			}
			continue
		}
		use := api.TableUse{Table: t.ID, Quota: t.Quota}
		for _, r := range v.have {
			switch {
			case r.Table != t.ID:
			case r.OwnedBy(cluster):
				use.Owned++
			default:
				use.Foreign++
			}
		}
		use.Foreign += v.unlisted[t.ID]
		use.Routes = use.Owned + use.Foreign
		use.History = history(t.ID, use.Routes, last, now)
		out = append(out, use)
	}
	return out
}

const (
	day      = 24 * time.Hour
	lookback = 8 // counts that are kept: a week, and the one it is compared with
)

// history is the last pass's, with a count of today if there is none yet.
func history(table api.TableID, routes int, last *api.Pass, now time.Time) []api.Usage {
	before, _ := lastUse(table, last)
	past := slices.Clone(before.History)
	if n := len(past); n == 0 || now.Sub(past[n-1].At) >= day {
		past = append(past, api.Usage{At: now, Routes: routes})
	}
	return past[max(0, len(past)-lookback):]
}

func lastUse(table api.TableID, last *api.Pass) (api.TableUse, bool) {
	if last == nil {
		return api.TableUse{}, false
	}
	i := slices.IndexFunc(last.Tables, func(u api.TableUse) bool { return u.Table == table })
	if i < 0 {
		return api.TableUse{}, false
	}
	return last.Tables[i], true
}

// fullIn says in how many days the table is full at the growth of the last week; ok is false
// when it does not grow or nothing is known of a day at least.
func fullIn(use api.TableUse, now time.Time) (days int, ok bool) {
	if len(use.History) == 0 {
		return 0, false
	}
	oldest := use.History[0]
	age, grown := now.Sub(oldest.At), use.Routes-oldest.Routes
	if age < day || grown <= 0 {
		return 0, false
	}
	perDay := float64(grown) / (float64(age) / float64(day))
	return max(0, int(float64(use.Quota-use.Routes)/perDay)), true
}

const (
	fillingUp = 0.8 // of the quota: time to ask for more
	soonFull  = 14  // days: the quota is raised on request, which people have to read
)

// quotaFindings says which tables are full, or will be, with the text of the request for more. A
// table may be full before it holds what --table-quota tells.
func quotaFindings(d decision, now time.Time) []api.Finding {
	waiting, creates := map[api.TableID]int{}, map[api.TableID]int{}
	for _, r := range d.routes {
		for table, in := range r.Tables {
			if in.Stage == api.StageWanted && in.Reason == api.ReasonQuota {
				waiting[table]++
			}
		}
	}
	for _, c := range d.plan.Changes {
		if c.Verb == api.Create {
			creates[c.Route.Table]++
		}
	}
	var out []api.Finding
	for _, use := range d.tables {
		days, grows := fullIn(use, now)
		text := fmt.Sprintf("table %s holds %d of %d routes", use.Table, use.Routes, use.Quota)
		severity := api.Warning
		switch {
		case waiting[use.Table] > 0 && use.Routes+creates[use.Table] < use.Quota:
			severity = api.Failure
			text = fmt.Sprintf("table %s holds %d routes and the cloud takes no more, though --table-quota says %d; %d are waiting",
				use.Table, use.Routes, use.Quota, waiting[use.Table])
			use.Quota = use.Routes
		case waiting[use.Table] > 0:
			severity = api.Failure
			text += fmt.Sprintf(", and %d more are waiting", waiting[use.Table])
		case grows && days <= soonFull:
			text += fmt.Sprintf("; at the growth of the last %d days it is full in %d", min(7, int(now.Sub(use.History[0].At)/day)), days)
		case float64(use.Routes) < fillingUp*float64(use.Quota):
			continue
		}
		out = append(out, api.Finding{
			Code: api.FindingQuota, Severity: severity, Text: text,
			Fix: fmt.Sprintf("ask in the Quota Center for vpc_quota_route_entrys_num of %s: %q, then give the controller --table-quota",
				use.Table, fmt.Sprintf("Please raise the custom route entries of route table %s from %d to %d. It holds %d.",
					use.Table, use.Quota, enough(use, waiting[use.Table]), use.Routes)),
		})
	}
	return out
}

// enough is a quota that lasts: twice what is there and waiting, in whole hundreds.
func enough(use api.TableUse, waiting int) int {
	want := max(2*(use.Routes+waiting), use.Quota+100)
	return (want + 99) / 100 * 100
}
