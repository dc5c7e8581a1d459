package call

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// LargestPage is the largest PageSize of the VPC actions.
const LargestPage = 50

// Numbered pages a list by PageNumber and PageSize.
type Numbered struct {
	PageNumber int `json:"PageNumber"`
	PageSize   int `json:"PageSize"`
	TotalCount int `json:"TotalCount"`
}

// NumberedPage cuts the asked page out of a list: PageSize is 10 by default.
func NumberedPage[T any](c *Call, all []T, largest int) ([]T, Numbered, error) {
	number, err := c.Number("PageNumber", 1, 1<<20)
	if err != nil {
		return nil, Numbered{}, err
	}
	size, err := c.Number("PageSize", 10, largest)
	if err != nil {
		return nil, Numbered{}, err
	}
	all = Hidden(c, all)
	from := min((number-1)*size, len(all))
	return Shown(c, all[from:min(from+size, len(all))]), Numbered{number, size, len(all)}, nil
}

// TokenPage cuts the page that a NextToken asks for and gives the token of the next one,
// empty at the end. Pages are by position: an entry may be missed or seen twice when the
// list changes between two pages, as in the cloud, whose listing is no snapshot.
func TokenPage[T any](c *Call, all []T, size int) (page []T, next string, err error) {
	from := 0
	if token := c.Param("NextToken"); token != "" {
		if from, err = readToken(token, c.listScope(), c.Now); err != nil {
			return nil, "", err
		}
	}
	all = Hidden(c, all)
	from = min(from, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next = makeToken(to, c.listScope(), c.Now.Add(c.PageTime))
	}
	return Shown(c, all[from:to]), next, nil
}

// Hidden is a list without what a fault leaves out of it: of route entries only custom ones.
func Hidden[T any](c *Call, all []T) []T {
	n := c.Fault.Hide
	if n == 0 {
		return all
	}
	var out []T
	for _, x := range all {
		if e, ok := any(x).(*world.Entry); n == 0 || ok && e.System {
			out = append(out, x)
			continue
		}
		n--
	}
	return out
}

// Shown is a page as it goes out.
func Shown[T any](c *Call, page []T) []T {
	if c.Fault.HidePage {
		return []T{}
	}
	return world.NonNil(page)
}

// listScope ties a token to the action and the list it was given for.
func (c *Call) listScope() uint32 {
	h := fnv.New32a()
	for _, name := range [...]string{"RouteTableId", "RouteEntryType", "VpcId", "VSwitchId", "SecurityGroupId"} {
		_, _ = h.Write([]byte(name + "=" + c.Param(name) + ";")) // a hash takes every write
	}
	_, _ = h.Write([]byte(c.Action))
	return h.Sum32()
}

func makeToken(from int, scope uint32, until time.Time) string {
	text := fmt.Sprintf("%d.%d.%d", from, scope, until.UnixMilli())
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func readToken(token string, scope uint32, now time.Time) (from int, err error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, world.IllegalParameter("NextToken")
	}
	var of uint32
	var until int64
	if _, err := fmt.Sscanf(string(text), "%d.%d.%d", &from, &of, &until); err != nil || of != scope || from < 0 {
		return 0, world.IllegalParameter("NextToken")
	}
	if now.UnixMilli() >= until {
		return 0, world.IllegalParameter("NextTokenExpired")
	}
	return from, nil
}

// EitherPage pages by token when MaxResults or NextToken is given, as ECS does beside its
// retiring page numbers. MaxResults outside of its range is pulled in, without an error.
func EitherPage[T any](c *Call, all []T, highest int) (page []T, n Numbered, next string, err error) {
	if c.Param("MaxResults") == "" && c.Param("NextToken") == "" {
		page, n, err = NumberedPage(c, all, highest)
		return page, n, "", err
	}
	size, err := c.Clamped("MaxResults", 10, 10, highest)
	if err != nil {
		return nil, n, "", err
	}
	page, next, err = TokenPage(c, all, size)
	return page, Numbered{TotalCount: len(all)}, next, err
}
