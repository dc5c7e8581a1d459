package seed

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/cloud/alisim/ram"
)

// Key is an access key that may sign requests. Without a user it is the account's own, with
// every permission.
type Key struct {
	ID         string   `yaml:"id"`
	Secret     string   `yaml:"secret"`
	User       string   `yaml:"user,omitempty"`       // a RAM user's name; default the id when there is a policy
	Policy     Document `yaml:"policy,omitempty"`     // what the user may; none: everything
	PolicyFile string   `yaml:"policyFile,omitempty"` // in place of Policy, see [LoadSeedFile]
	Disabled   bool     `yaml:"disabled,omitempty"`   // refused with InvalidAccessKeyId.Inactive
}

// String hides the secret.
func (k Key) String() string { return k.ID + ":***" }

// GoString hides the secret.
func (k Key) GoString() string { return k.String() }

// Role is a RAM role that instances have. One that an instance names and the seed does not
// list may do everything.
type Role struct {
	Name       string   `yaml:"name"`
	Policy     Document `yaml:"policy,omitempty"`
	PolicyFile string   `yaml:"policyFile,omitempty"`
}

// Document is a RAM policy in JSON. In YAML it may be written as text or as a mapping.
type Document string

// UnmarshalYAML reads either form.
func (d *Document) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*d = Document(n.Value)
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return fmt.Errorf("line %d: policy: %w", n.Line, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("line %d: policy: %w", n.Line, err)
	}
	*d = Document(text)
	return nil
}

// Permissions reads the policy; none is nil, which permits everything.
func (d Document) Permissions() (*ram.Policy, error) {
	if d == "" {
		return nil, nil
	}
	p, err := ram.Parse([]byte(d))
	return &p, err
}
