package seed

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/api"
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

// Parse reads a policy; none is nil, which permits everything.
func (d Document) Parse() (*ram.Policy, error) {
	if d == "" {
		return nil, nil
	}
	p, err := ram.Parse([]byte(d))
	return &p, err
}

// readPolicies reads the policy files that a seed names, relative to a directory.
func (s *Seed) readPolicies(dir string) error {
	read := func(into *Document, file string) error {
		switch {
		case file == "":
			return nil
		case *into != "":
			return fmt.Errorf("%w: policy and policyFile %s exclude one another", api.ErrInvalid, file)
		case !filepath.IsAbs(file):
			file = filepath.Join(dir, file)
		}
		text, err := os.ReadFile(file) //nolint:gosec // the operator's seed names it
		if err != nil {
			return fmt.Errorf("read policy: %w", err)
		}
		*into = Document(text)
		return nil
	}
	for i := range s.Keys {
		if err := read(&s.Keys[i].Policy, s.Keys[i].PolicyFile); err != nil {
			return fmt.Errorf("key %s: %w", s.Keys[i].ID, err)
		}
	}
	for i := range s.Roles {
		if err := read(&s.Roles[i].Policy, s.Roles[i].PolicyFile); err != nil {
			return fmt.Errorf("role %s: %w", s.Roles[i].Name, err)
		}
	}
	return nil
}

func (c *checker) checkKey(path string, k Key) Key {
	c.checkID(path+".id", k.ID)
	if k.Secret == "" {
		c.mistake(path+".secret", "is missing")
	}
	c.checkPolicy(path, k.Policy)
	if k.Policy != "" {
		k.User = cmp.Or(k.User, k.ID)
	}
	return k
}

func (c *checker) checkRole(path string, r Role) {
	c.checkID(path+".name", r.Name)
	c.checkPolicy(path, r.Policy)
}

func (c *checker) checkPolicy(path string, d Document) {
	if _, err := d.Parse(); err != nil {
		c.mistake(path+".policy", "%s", err)
	}
}
