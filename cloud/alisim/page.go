package alisim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"time"
)

// vpcPage is the largest PageSize of the VPC actions.
const vpcPage = 50

// numbered pages a list by PageNumber and PageSize.
type numbered struct {
	PageNumber int `json:"PageNumber"`
	PageSize   int `json:"PageSize"`
	TotalCount int `json:"TotalCount"`
}

// pageOf cuts the asked page out of a list: PageSize is 10 by default.
func pageOf[T any](c *call, all []T, largest int) ([]T, numbered, error) {
	number, err := c.number("PageNumber", 1, 1<<20)
	if err != nil {
		return nil, numbered{}, err
	}
	size, err := c.number("PageSize", 10, largest)
	if err != nil {
		return nil, numbered{}, err
	}
	all = hidden(c, all)
	from := min((number-1)*size, len(all))
	return shown(c, all[from:min(from+size, len(all))]), numbered{number, size, len(all)}, nil
}

// pageAfter cuts the page that a NextToken asks for and gives the token of the next one,
// empty at the end. Pages are by position: an entry may be missed or seen twice when the
// list changes between two pages, as in the cloud, whose listing is no snapshot.
func pageAfter[T any](c *call, all []T, size int) (page []T, next string, err error) {
	from := 0
	if token := c.get("NextToken"); token != "" {
		if from, err = readToken(token, c.scope(), c.now); err != nil {
			return nil, "", err
		}
	}
	all = hidden(c, all)
	from = min(from, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next = makeToken(to, c.scope(), c.now.Add(c.pageTime))
	}
	return shown(c, all[from:to]), next, nil
}

// hidden is a list without what a fault leaves out of it: of route entries only custom ones.
func hidden[T any](c *call, all []T) []T {
	n := c.fault.Hide
	if n == 0 {
		return all
	}
	var out []T
	for _, x := range all {
		if e, ok := any(x).(*entry); n == 0 || ok && e.System {
			out = append(out, x)
			continue
		}
		n--
	}
	return out
}

// shown is a page as it goes out.
func shown[T any](c *call, page []T) []T {
	if c.fault.HidePage {
		return []T{}
	}
	return nonNil(page)
}

// scope ties a token to the action and the list it was given for.
func (c *call) scope() uint32 {
	h := fnv.New32a()
	for _, name := range [...]string{"RouteTableId", "RouteEntryType", "VpcId", "VSwitchId", "SecurityGroupId"} {
		_, _ = h.Write([]byte(name + "=" + c.get(name) + ";")) // a hash takes every write
	}
	_, _ = h.Write([]byte(c.action))
	return h.Sum32()
}

func makeToken(from int, scope uint32, until time.Time) string {
	text := fmt.Sprintf("%d.%d.%d", from, scope, until.UnixMilli())
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func readToken(token string, scope uint32, now time.Time) (from int, err error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, illegal("NextToken")
	}
	var of uint32
	var until int64
	if _, err := fmt.Sscanf(string(text), "%d.%d.%d", &from, &of, &until); err != nil || of != scope || from < 0 {
		return 0, illegal("NextToken")
	}
	if now.UnixMilli() >= until {
		return 0, illegal("NextTokenExpired")
	}
	return from, nil
}

// pageEither pages by token when MaxResults or NextToken is given, as ECS does beside its
// retiring page numbers. MaxResults outside of its range is pulled in, without an error.
func pageEither[T any](c *call, all []T, highest int) (page []T, n numbered, next string, err error) {
	if c.get("MaxResults") == "" && c.get("NextToken") == "" {
		page, n, err = pageOf(c, all, highest)
		return page, n, "", err
	}
	size, err := c.clamped("MaxResults", 10, 10, highest)
	if err != nil {
		return nil, n, "", err
	}
	page, next, err = pageAfter(c, all, size)
	return page, numbered{TotalCount: len(all)}, next, err
}
