package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
)

// identify says which host this is: as the flags say, and for the rest as the metadata
// service does, which is not asked if the flags say all that matters.
func identify(ctx context.Context, f *flags, log *slog.Logger) (agent.Identity, error) {
	id := f.given()
	if id.Instance == "" || id.VPC == "" || id.VSwitch == "" || !id.IP.IsValid() {
		m, err := ask(ctx, metadata.Client{URL: f.metadataURL}, log)
		if err != nil {
			return id, fmt.Errorf("who is this host (or give --instance, --vpc, --vswitch and --ip): %w", err)
		}
		id.Instance = cmp.Or(id.Instance, m.Instance)
		id.Name = cmp.Or(id.Name, m.Hostname)
		id.Region = cmp.Or(id.Region, m.Region)
		id.VPC = cmp.Or(id.VPC, m.VPC)
		id.VSwitch = cmp.Or(id.VSwitch, m.VSwitch)
		if !id.IP.IsValid() {
			id.IP = m.IP
		}
		if id.IP != m.IP {
			id.MAC = m.MAC
		}
	}
	if id.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return id, fmt.Errorf("read the host name: %w", err)
		}
		id.Name = name
	}
	return id, nil
}

// ask waits half a minute for the metadata service, which an agent may well precede when
// the network of a booting machine comes up.
func ask(ctx context.Context, client metadata.Client, log *slog.Logger) (metadata.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for said := false; ; said = true {
		m, err := client.Identity(ctx)
		if !errors.Is(err, api.ErrUnreachable) {
			return m, err
		}
		if !said {
			log.Warn("metadata service out of reach; trying for half a minute", api.KeyError, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return m, err
		}
	}
}
