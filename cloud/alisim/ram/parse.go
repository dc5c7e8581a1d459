package ram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/sealane/sealane/api"
)

// Parse reads a policy document, version 1. It is strict: member names count by case and
// may not repeat, and whatever it does not know is an error of kind api.ErrInvalid that
// says where and what.
func Parse(document []byte) (Policy, error) {
	p, err := parsePolicy(document)
	if err != nil {
		return Policy{}, fmt.Errorf("policy: %w", err)
	}
	return p, nil
}

func parsePolicy(document []byte) (Policy, error) {
	if err := wellFormed(document); err != nil {
		return Policy{}, err
	}
	members, err := parseObject(document, "Version", "Statement")
	if err != nil {
		return Policy{}, err
	}
	var version string
	if json.Unmarshal(members["Version"], &version) != nil || version != "1" {
		return Policy{}, fmt.Errorf("member Version is not \"1\": %w", api.ErrInvalid)
	}
	var list []json.RawMessage
	if json.Unmarshal(members["Statement"], &list) != nil || len(list) == 0 {
		return Policy{}, fmt.Errorf("member Statement is not a list of statements: %w", api.ErrInvalid)
	}
	var p Policy
	for n, text := range list {
		s, err := parseStatement(text)
		if err != nil {
			return Policy{}, fmt.Errorf("statement %d: %w", n+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(text json.RawMessage) (statement, error) {
	members, err := parseObject(text, "Effect", "Action", "NotAction", "Resource", "Condition")
	if err != nil {
		return statement{}, err
	}
	var s statement
	if s.deny, err = parseEffect(members["Effect"]); err != nil {
		return s, err
	}
	if s.actions, s.except, err = parseActions(members); err != nil {
		return s, err
	}
	resources, err := parseTexts("Resource", members["Resource"])
	if err != nil {
		return s, err
	}
	for _, r := range resources {
		pattern, err := parseResource(r)
		if err != nil {
			return s, fmt.Errorf("member Resource: %w", err)
		}
		s.resources = append(s.resources, pattern)
	}
	s.conditions, err = parseConditions(members["Condition"])
	return s, err
}

func parseEffect(text json.RawMessage) (deny bool, err error) {
	var effect string
	if json.Unmarshal(text, &effect) != nil || effect != "Allow" && effect != "Deny" {
		return false, fmt.Errorf("member Effect is neither \"Allow\" nor \"Deny\": %w", api.ErrInvalid)
	}
	return effect == "Deny", nil
}

func parseActions(members map[string]json.RawMessage) (actions []string, except bool, err error) {
	name := "Action"
	if _, except = members["NotAction"]; except {
		name = "NotAction"
	}
	if _, both := members["Action"]; both && except {
		return nil, false, fmt.Errorf("members Action and NotAction exclude one another: %w", api.ErrInvalid)
	}
	patterns, err := parseTexts(name, members[name])
	if err != nil {
		return nil, false, err
	}
	for _, p := range patterns {
		action, err := parseAction(p)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
		actions = append(actions, action)
	}
	return actions, except, nil
}

func parseConditions(text json.RawMessage) ([]condition, error) {
	if text == nil {
		return nil, nil
	}
	var block map[string]map[string]json.RawMessage
	if json.Unmarshal(text, &block) != nil || len(block) == 0 {
		return nil, fmt.Errorf("member Condition is not an object of operators with keys: %w", api.ErrInvalid)
	}
	var list []condition
	for _, name := range slices.Sorted(maps.Keys(block)) {
		if len(block[name]) == 0 {
			return nil, fmt.Errorf("member Condition: %s has no key: %w", name, api.ErrInvalid)
		}
		for _, key := range slices.Sorted(maps.Keys(block[name])) {
			values, err := parseTexts("Condition: "+name+" of "+key, block[name][key])
			if err != nil {
				return nil, err
			}
			c, err := newCondition(name, key, values)
			if err != nil {
				return nil, fmt.Errorf("member Condition: %w", err)
			}
			list = append(list, c)
		}
	}
	return list, nil
}

// parseObject reads an object that may have these members and no others.
func parseObject(text []byte, names ...string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members == nil {
		return nil, fmt.Errorf("not a JSON object: %w", api.ErrInvalid)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%q is not known here; there are %q: %w", name, names, api.ErrInvalid)
		}
	}
	return members, nil
}

// parseTexts reads a string, or a list of them that is not empty.
func parseTexts(name string, text json.RawMessage) ([]string, error) {
	var one *string
	if json.Unmarshal(text, &one) == nil && one != nil {
		return []string{*one}, nil
	}
	var several []*string
	if json.Unmarshal(text, &several) != nil || len(several) == 0 || slices.Contains(several, nil) {
		return nil, fmt.Errorf("%s is neither a string nor a list of strings: %w", name, api.ErrInvalid)
	}
	list := make([]string, len(several))
	for i, s := range several {
		list[i] = *s
	}
	return list, nil
}

// wellFormed refuses what package json would take without a word: members that come twice,
// of which it keeps the last, and text after the document.
func wellFormed(document []byte) error {
	d := json.NewDecoder(bytes.NewReader(document))
	if err := checkNames(d); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("text follows the document: %w", api.ErrInvalid)
	}
	return nil
}

// checkNames reads one value. Its depth is bounded by what Decoder takes.
func checkNames(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w: %w", api.ErrInvalid, err)
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[json.Token]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			switch {
			case err != nil:
				return fmt.Errorf("not JSON: %w: %w", api.ErrInvalid, err)
			case seen[name]:
				return fmt.Errorf("%q comes twice: %w", name, api.ErrInvalid)
			}
			seen[name] = true
		}
		if err := checkNames(d); err != nil {
			return err
		}
	}
	if _, err = d.Token(); err != nil {
		return fmt.Errorf("not JSON: %w: %w", api.ErrInvalid, err)
	}
	return nil
}
