package seed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/api"
)

// LoadSeed reads a seed written in YAML and checks it. Unknown keys are mistakes. The error
// is of kind api.ErrInvalid and names the line of each mistake; where reading itself goes
// well, all mistakes are told together.
func LoadSeed(r io.Reader) (Seed, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Seed{}, fmt.Errorf("read simulator seed: %w", err)
	}
	return loadSeed(text, ".")
}

// LoadSeedFile is LoadSeed for a file; the policy files that it names are relative to it.
func LoadSeedFile(path string) (Seed, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return Seed{}, fmt.Errorf("read simulator seed: %w", err)
	}
	return loadSeed(text, filepath.Dir(path))
}

func loadSeed(text []byte, dir string) (Seed, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return Seed{}, fmt.Errorf("simulator seed: %w: %w", api.ErrInvalid, err)
	}
	if len(root.Content) == 0 {
		return Seed{}, fmt.Errorf("simulator seed: %w: it is empty", api.ErrInvalid)
	}
	if bad := scalarMistakes(root.Content[0]); len(bad) > 0 {
		return Seed{}, fmt.Errorf("simulator seed: %w: %w", api.ErrInvalid, errors.Join(bad...))
	}
	var seed Seed
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&seed); err != nil {
		return Seed{}, fmt.Errorf("simulator seed: %w: %w", api.ErrInvalid, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Seed{}, fmt.Errorf("simulator seed: %w: there is a second document in it", api.ErrInvalid)
	}
	if err := seed.readPolicies(dir); err != nil {
		return Seed{}, fmt.Errorf("simulator seed: %w", err)
	}
	if _, mistakes := seed.checkAll(); len(mistakes) > 0 {
		bad := make([]error, len(mistakes))
		for i, m := range mistakes {
			bad[i] = fmt.Errorf("line %d: %w", lineOf(root.Content[0], m.path), m)
		}
		return Seed{}, fmt.Errorf("simulator seed: %w: %w", api.ErrInvalid, errors.Join(bad...))
	}
	return seed, nil
}

// scalarMistakes finds what is no address, or no time, where one belongs. The decoder would tell the first
// of them, and without its line.
func scalarMistakes(n *yaml.Node) []error {
	var bad []error
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "tags" {
			continue // whose names are the operator's own
		}
		bad = append(bad, scalarMistakes(child)...)
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			continue
		}
		values := []*yaml.Node{n.Content[i+1]}
		if values[0].Kind == yaml.SequenceNode {
			values = values[0].Content
		}
		for _, v := range values {
			if err := checkScalar(child.Value, v.Value); err != nil {
				bad = append(bad, fmt.Errorf("line %d: %s: %w", v.Line, child.Value, err))
			}
		}
	}
	return bad
}

func checkScalar(key, text string) (err error) {
	switch key {
	case "cidr", "ipv6Cidr", "secondary", "userCidrs", "destination", "source":
		_, err = netip.ParsePrefix(text)
	case "ip", "moreIps", "ipv6":
		_, err = netip.ParseAddr(text)
	case "taskTime":
		err = new(Duration).UnmarshalText([]byte(text))
	}
	return err
}

// lineOf is the line of a path like "vpcs[0].vswitches[1].cidr", or of as much of it as
// is written down.
func lineOf(n *yaml.Node, path string) int {
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		child := valueOf(n, name)
		if child == nil {
			break
		}
		n = child
		if i, err := strconv.Atoi(index); indexed && err == nil && i < len(n.Content) {
			n = n.Content[i]
		}
	}
	return n.Line
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
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
