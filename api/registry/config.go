package registry

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/api/registry/etcd"
)

// Config reads the cluster's configuration. ErrNotFound: no operator wrote one yet;
// ErrInvalid: the record cannot be read.
func (r *Registry) Config(ctx context.Context) (api.Config, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	rec, err := r.configRecord(ctx)
	switch {
	case err != nil:
		return api.Config{}, err
	case rec == nil:
		return api.Config{}, fmt.Errorf("record %s: %w", r.root+areaConfig, api.ErrNotFound)
	}
	config, err := decodeConfig(rec.value)
	if err != nil {
		return api.Config{}, fmt.Errorf("record %s: %w: %w", r.root+areaConfig, api.ErrInvalid, err)
	}
	return config, nil
}

// PutConfig writes the configuration, whatever it was before. ErrInvalid: it is not valid;
// ErrRefused: the record is of a newer version; ErrBusy: somebody else wrote it just now.
func (r *Registry) PutConfig(ctx context.Context, config api.Config) error {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	rec, err := r.configRecord(ctx)
	if err != nil {
		return err
	}
	var modified int64
	if rec != nil {
		modified = rec.modified
		if _, err := decodeConfig(rec.value); errors.Is(err, errNewer) {
			return tooNewError(rec.key, err)
		}
	}
	written, err := r.writeConfig(ctx, config, modified)
	if err == nil && !written {
		err = fmt.Errorf("write the configuration: somebody else wrote it at the same time: %w", api.ErrBusy)
	}
	return err
}

// UpdateConfig reads the configuration, the default one if there is none, lets change have it,
// and writes it, unless somebody else wrote it in between: then it does all that again. An
// error of change ends it. Operators' commands use it.
func (r *Registry) UpdateConfig(ctx context.Context, change func(*api.Config) error) (api.Config, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	for {
		rec, err := r.configRecord(ctx)
		if err != nil {
			return api.Config{}, err
		}
		config, modified := api.DefaultConfig(), int64(0)
		if rec != nil {
			modified = rec.modified
			if config, err = decodeConfig(rec.value); errors.Is(err, errNewer) {
				return api.Config{}, tooNewError(rec.key, err)
			} else if err != nil {
				return api.Config{}, fmt.Errorf("record %s: %w: %w", rec.key, api.ErrInvalid, err)
			}
		}
		if err := change(&config); err != nil {
			return api.Config{}, err
		}
		written, err := r.writeConfig(ctx, config, modified)
		if err != nil || written {
			return config, err
		}
	}
}

// CreateConfig writes the configuration if there is none, and reports whether it did.
func (r *Registry) CreateConfig(ctx context.Context, config api.Config) (bool, error) {
	ctx, cancel := etcd.Call(ctx)
	defer cancel()
	return r.writeConfig(ctx, config, 0)
}

// writeConfig writes it if the record was last modified at the revision; 0: if there is none.
func (r *Registry) writeConfig(ctx context.Context, config api.Config, modified int64) (bool, error) {
	if err := config.Validate(); err != nil {
		return false, err
	}
	value, err := encodeRecord(areaConfig, config, recordLimit)
	if err != nil {
		return false, err
	}
	key := r.root + areaConfig
	return r.commitIf(ctx, "write the configuration",
		[]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", modified)},
		[]clientv3.Op{clientv3.OpPut(key, value)})
}

// configRecord is nil when there is none.
func (r *Registry) configRecord(ctx context.Context) (*record, error) {
	records, _, err := r.readAreas(ctx, "read the configuration", areaConfig)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return &records[0], nil
}
