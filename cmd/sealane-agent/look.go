package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/agent"
	"github.com/sealane/sealane/agent/host/machine"
	"github.com/sealane/sealane/api/registry"
	"github.com/sealane/sealane/api/registry/etcd"
)

// look is what commands need that look at this host.
type look struct {
	config   agent.Config
	host     *machine.Host
	registry agent.Snapshots // nil when no etcd was given
	close    func()
}

func (f *flags) openHost(cmd *cobra.Command) (look, error) {
	log, err := prepare(cmd, f, false)
	if err != nil {
		return look{}, err
	}
	options, err := f.hostOptions(log)
	if err != nil {
		return look{}, err
	}
	id, err := identify(cmd.Context(), f, log)
	if err != nil {
		return look{}, err
	}
	l := look{config: f.agentConfig(id, ""), host: machine.New(options), close: func() {}}
	l.config.Memory = l.host
	if len(f.etcdEndpoints) == 0 {
		return l, nil
	}
	client, err := etcd.Dial(f.etcdEndpoints, etcd.Options{})
	if err != nil {
		return look{}, err
	}
	l.registry, l.close = registry.New(client, f.cluster), func() { _ = client.Close() }
	return l, nil
}
