package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host/state"
	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/metadata"
)

// identify says which host this is: as the flags say, and for the rest as the metadata
// service does, which is not asked if the flags say all that matters. While the service is out
// of reach, the host is taken for the one that it was when an agent last ran here.
func identify(ctx context.Context, f *flags, log *slog.Logger) (agent.Identity, error) {
	id := f.given()
	if id.Instance == "" || id.VPC == "" || id.VSwitch == "" || !id.IP.IsValid() {
		known, remembered := recallIdentity(f.stateDir)
		patience := 30 * time.Second
		if remembered {
			patience = 2 * time.Second
		}
		m, err := askMetadata(ctx, metadata.Client{URL: f.metadataURL}, patience, log)
		switch {
		case err == nil:
			id = completed(id, agent.Identity{Instance: m.Instance, Name: m.Hostname, Region: m.Region, VPC: m.VPC, VSwitch: m.VSwitch, IP: m.IP})
			if id.IP != m.IP {
				id.MAC = m.MAC
			}
		case remembered && ctx.Err() == nil:
			log.Warn("the metadata service does not say who this host is; it is taken for the one that it was", api.KeyInstance, string(known.Instance), api.KeyError, err)
			id = completed(id, known)
			id.MAC = known.MAC
		default:
			return id, fmt.Errorf("who is this host (or give --instance, --vpc, --vswitch and --ip): %w", err)
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

// completed fills what is not given with what is known otherwise.
func completed(given, known agent.Identity) agent.Identity {
	given.Instance = cmp.Or(given.Instance, known.Instance)
	given.Name = cmp.Or(given.Name, known.Name)
	given.Region = cmp.Or(given.Region, known.Region)
	given.VPC = cmp.Or(given.VPC, known.VPC)
	given.VSwitch = cmp.Or(given.VSwitch, known.VSwitch)
	if !given.IP.IsValid() {
		given.IP = known.IP
	}
	return given
}

func identityPath(stateDir string) string { return filepath.Join(stateDir, "identity.json") }

// rememberIdentity keeps it for when the metadata service is out of reach. It is not written
// when it is there already.
func rememberIdentity(stateDir string, id agent.Identity) error {
	data, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("remember who this host is: %w", err)
	}
	path := identityPath(stateDir)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := state.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("remember who this host is: %w", err)
	}
	return nil
}

// recallIdentity reads what was remembered. It counts only while this machine has the address
// of the host that it names: state that came with a copied disk does not.
func recallIdentity(stateDir string) (agent.Identity, bool) {
	var id agent.Identity
	data, err := os.ReadFile(identityPath(stateDir))
	if err != nil || json.Unmarshal(data, &id) != nil {
		return agent.Identity{}, false
	}
	addresses, err := net.InterfaceAddrs()
	has := func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == id.IP
	}
	return id, err == nil && id.Instance != "" && slices.ContainsFunc(addresses, has)
}

// askMetadata waits for the metadata service, which an agent may well precede when the network
// of a booting machine comes up.
func askMetadata(ctx context.Context, client metadata.Client, patience time.Duration, log *slog.Logger) (metadata.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for said := false; ; said = true {
		m, err := client.Identity(ctx)
		if !errors.Is(err, api.ErrUnreachable) {
			return m, err
		}
		if !said {
			log.Warn("metadata service out of reach; trying again for a while", api.KeyError, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return m, err
		}
	}
}
