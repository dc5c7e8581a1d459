package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/sealane/sealane/api"
)

// longest answer that is read, in bytes: several thousand networks.
const longest = 16 << 20

// version is the newest API version that the engine speaks, as the first part of a path.
func (c *Client) version(ctx context.Context) (string, error) {
	answer, err := c.get(ctx, "/_ping")
	if err != nil {
		return "", err
	}
	_ = answer.Body.Close()
	v := answer.Header.Get("Api-Version")
	if v == "" || strings.Trim(v, "0123456789.") != "" {
		return "", fmt.Errorf("%s: /_ping names no API version, but %q: %w", c, v, api.ErrUnsupported)
	}
	return "/v" + v, nil
}

// ask decodes the answer to a GET.
func (c *Client) ask(ctx context.Context, path string, into any) error {
	answer, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longest))
	if err != nil {
		return c.wrap(ctx, path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %s: %w: %w", c, path, err, api.ErrInvalid)
	}
	return nil
}

// get begins a GET. The caller closes the body of an answer; there is none unless the
// engine agrees.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.wrap(ctx, path, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	words, _ := io.ReadAll(io.LimitReader(answer.Body, 500)) // for people; the status says enough
	kind := api.ErrUnsupported
	if answer.StatusCode >= http.StatusInternalServerError {
		kind = api.ErrUnreachable
	}
	return nil, fmt.Errorf("%s: %s: %s: %q: %w", c, path, answer.Status, words, kind)
}

func (c *Client) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := c.activation.permit(c.socket); err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, "unix", c.socket)
}

// wrap gives a failed call its kind. The caller's own end is no fault of the engine.
func (c *Client) wrap(ctx context.Context, path string, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the made-up URL
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: the socket opens to root and to %s: %w", c, err, c.group(), api.ErrPermission)
	default:
		return fmt.Errorf("%s: %s: %w: %w", c, path, err, api.ErrUnreachable)
	}
}

// group names the group whose members may open the socket.
func (c *Client) group() string {
	info, err := os.Stat(c.socket)
	if err != nil {
		return "its group" // of a directory that is closed to us
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "its group"
	}
	id := strconv.FormatUint(uint64(stat.Gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return "group " + g.Name
	}
	return "group " + id
}
