package entries

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/sealane/sealane/api"
)

// Sight is what was read of some places. A table that could not be read, or a part of it,
// is not among those that were.
type Sight struct {
	routes map[api.RouteKey]api.Route
	read   map[api.RouteKey]bool
}

// Empty reports whether nothing could be read.
func (s Sight) Empty() bool { return len(s.read) == 0 }

// At returns the entry of a place. known is false when the place was not read.
func (s Sight) At(key api.RouteKey) (r api.Route, there, known bool) {
	r, there = s.routes[key]
	return r, there, s.read[key]
}

// ReadPlaces reads these places, all tables at the same time: those of a table by their
// destinations, or by listing it whole where that takes fewer calls and only one page. Several
// pages do not prove that an entry is missing. What could be read is returned also with an error.
func (r *Reader) ReadPlaces(ctx context.Context, places []api.RouteKey) (Sight, error) {
	found := Sight{map[api.RouteKey]api.Route{}, map[api.RouteKey]bool{}}
	var mu sync.Mutex // guards found and errs
	var errs []error
	var group sync.WaitGroup
	for _, q := range r.questions(places) {
		group.Go(func() {
			routes, err := r.readQuestion(ctx, q)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("list routes of %s: %w", q.table, err))
				return
			}
			for _, key := range q.places {
				found.read[key] = true
			}
			for _, route := range routes {
				found.routes[route.Key()] = route
			}
		})
	}
	group.Wait()
	return found, errors.Join(errs...)
}

// question is one listing: of the destinations of some places, or of the whole table.
type question struct {
	table  api.TableID
	only   []netip.Prefix
	places []api.RouteKey
}

// readQuestion asks again for what is missing from a table that turned out to have several pages.
func (r *Reader) readQuestion(ctx context.Context, q question) ([]api.Route, error) {
	routes, single, err := r.listCustom(ctx, q.table, q.only)
	if err != nil || single || len(q.only) > 0 {
		return routes, err
	}
	missing := slices.DeleteFunc(slices.Clone(q.places), func(key api.RouteKey) bool {
		return slices.ContainsFunc(routes, func(route api.Route) bool { return route.Key() == key })
	})
	for _, again := range questionsOf(q.table, missing) {
		more, _, err := r.listCustom(ctx, q.table, again.only)
		if err != nil {
			return nil, err
		}
		routes = append(routes, more...)
	}
	return routes, nil
}

func (r *Reader) questions(places []api.RouteKey) []question {
	byTable := map[api.TableID][]api.RouteKey{}
	for _, key := range places {
		byTable[key.Table] = append(byTable[key.Table], key)
	}
	var all []question
	for table, keys := range byTable {
		if r.onePage(table) && len(keys) > FilterLimit {
			all = append(all, question{table: table, places: keys})
			continue
		}
		all = append(all, questionsOf(table, keys)...)
	}
	return all
}

// questionsOf are the questions for some places of a table by their destinations.
func questionsOf(table api.TableID, keys []api.RouteKey) []question {
	var all []question
	for chunk := range slices.Chunk(keys, FilterLimit) {
		q := question{table: table, places: chunk}
		for _, key := range chunk {
			q.only = append(q.only, key.Destination)
		}
		all = append(all, q)
	}
	return all
}
