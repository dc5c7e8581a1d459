package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sealane/sealane/agent/host/docker"
	"github.com/sealane/sealane/api"
)

// ImageName is the image of every container. It runs busybox.
const ImageName = "sealane-lab:web"

const containerName = "web"

// webAPI speaks the few calls of Docker's HTTP API that the lab needs, without a version in
// the path: each engine then answers in its own newest.
type webAPI struct{ client *http.Client }

func dialDocker(socket string) (webAPI, error) {
	engine, err := docker.Dial("unix://" + socket)
	if err != nil {
		return webAPI{}, err
	}
	return webAPI{&http.Client{Transport: engine.Transport()}}, nil
}

func (d webAPI) ping(ctx context.Context) error {
	_, err := d.call(ctx, http.MethodGet, "/_ping", "", nil)
	return err
}

// runWeb imports the image, makes the container web where it is not there yet, and starts it.
func (d webAPI) runWeb(ctx context.Context, image []byte) error {
	if _, err := d.call(ctx, http.MethodGet, "/images/"+ImageName+"/json", "", nil); err != nil {
		answer, err := d.call(ctx, http.MethodPost, "/images/create?fromSrc=-&repo=sealane-lab&tag=web", "application/x-tar", image)
		if err != nil {
			return err
		}
		if strings.Contains(string(answer), `"errorDetail"`) { // reported in the stream, after status 200
			return fmt.Errorf("import the image: %s: %w", answer, api.ErrInvalid)
		}
	}
	config, err := containerConfig()
	if err != nil {
		return err
	}
	if _, err := d.inspectWeb(ctx); err != nil {
		if _, err := d.call(ctx, http.MethodPost, "/containers/create?name="+containerName, "application/json", config); err != nil {
			return err
		}
	}
	_, err = d.call(ctx, http.MethodPost, "/containers/"+containerName+"/start", "", nil)
	return err
}

// inspectWeb finds the container web.
func (d webAPI) inspectWeb(ctx context.Context) (Container, error) {
	raw, err := d.call(ctx, http.MethodGet, "/containers/"+containerName+"/json", "", nil)
	if err != nil {
		return Container{}, err
	}
	var doc struct {
		State struct{ Pid int }
		// the address stands here in every engine; 29 dropped the copy above it
		NetworkSettings struct {
			Networks map[string]struct{ IPAddress string }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Container{}, fmt.Errorf("read the container's description: %w", err)
	}
	addr, _ := netip.ParseAddr(doc.NetworkSettings.Networks["bridge"].IPAddress)
	return Container{Addr: addr, Netns: fmt.Sprintf("/proc/%d/ns/net", doc.State.Pid)}, nil
}

// call makes one request; an answer of 400 or more is an error with Docker's own words.
func (d webAPI) call(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("docker %s: %w", path, err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("docker %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("docker %s: %w", path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("docker %s: %s: %s", path, resp.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
