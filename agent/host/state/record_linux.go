package state

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sealane/sealane/agent/host"
)

// Record is what one part of a host remembers: a struct whose fields are in the store's file
// by their JSON names, which no other record has. It may be used once the store was recalled.
type Record[T any] struct {
	store *Store
	boot  func(former T) (T, error)
	value T
}

// NewRecord adds a record to a store. At another boot it becomes what boot makes of the former
// one; nil: it is void.
func NewRecord[T any](s *Store, boot func(former T) (T, error)) *Record[T] {
	r := &Record[T]{store: s, boot: boot}
	s.records = append(s.records, r)
	return r
}

// Value is what is remembered; the zero value if nothing is.
func (r *Record[T]) Value() T { return r.value }

// Remember changes the record and makes it durable; if that fails, it is as before.
func (r *Record[T]) Remember(change func(*T)) error {
	before := r.value
	change(&r.value)
	if err := r.store.write(); err != nil {
		r.value = before
		return fmt.Errorf("remember former values: %w", err)
	}
	return nil
}

// RememberStep is the step that changes the record.
func (r *Record[T]) RememberStep(change func(*T)) host.Step {
	return host.Step{Do: func(context.Context) error { return r.Remember(change) }}
}

func (r *Record[T]) decode(file []byte) error {
	var value T
	err := json.Unmarshal(file, &value)
	r.value = value
	return err
}

func (r *Record[T]) begin() error {
	former := r.value
	var value T
	r.value = value
	if r.boot == nil {
		return nil
	}
	var err error
	r.value, err = r.boot(former)
	return err
}

func (r *Record[T]) fields() (map[string]json.RawMessage, error) {
	data, err := json.Marshal(r.value)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	err = json.Unmarshal(data, &fields)
	return fields, err
}
