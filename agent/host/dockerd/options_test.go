package dockerd

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

func TestDaemonConfigSet(t *testing.T) {
	for _, tt := range []struct{ name, before, after string }{
		{"no file", "", "{\n    \"allow-direct-routing\": true,\n    \"mark\": \"m\"\n}\n"},
		{"empty object", "{ }", "{\n    \"allow-direct-routing\": true,\n    \"mark\": \"m\"\n}"},
		{"tabs", "{\n\t\"bip\": \"10.0.0.1/24\"\n}\n", "{\n\t\"bip\": \"10.0.0.1/24\",\n\t\"allow-direct-routing\": true,\n\t\"mark\": \"m\"\n}\n"},
		{"one line", `{"mtu":1400,"hosts":["a","b"] }`, `{"mtu":1400,"hosts":["a","b"],"allow-direct-routing":true,"mark":"m" }`},
		{"value replaced", "{ \"allow-direct-routing\" : false, \"x\": {\"allow-direct-routing\": 1} }", "{ \"allow-direct-routing\" : true, \"x\": {\"allow-direct-routing\": 1}, \"mark\" : \"m\" }"},
		{"odd escapes and numbers kept", "{\r\n  \"a\\u0062\": 1e400,\r\n  \"é\": null}", "{\r\n  \"a\\u0062\": 1e400,\r\n  \"é\": null,\r\n  \"allow-direct-routing\": true,\r\n  \"mark\": \"m\"}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parseOptions([]byte(tt.before))
			if err == nil {
				c, err = c.set(optionDirect, "true")
			}
			if err == nil {
				c, err = c.set("mark", `"m"`)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.after, string(c.text)); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
		})
	}
}

func TestDaemonConfigDrop(t *testing.T) {
	for _, tt := range []struct{ before, after string }{
		{`{"a":1, "ours": true, "b":2}`, `{"a":1, "b":2}`},
		{`{ "ours": {"x":[]}, "b":2 }`, `{ "b":2 }`},
		{"{\n\t\"a\": 1,\n\t\"ours\": 3\n}\n", "{\n\t\"a\": 1\n}\n"},
		{"{\n\t\"ours\": 3\n}\n", "{}\n"},
		{`{"a":1}`, `{"a":1}`},
	} {
		c, err := parseOptions([]byte(tt.before))
		if err == nil {
			c, err = c.drop("ours")
		}
		if err != nil || string(c.text) != tt.after {
			t.Errorf("%s without ours: %q, %v; want %q", tt.before, c.text, err, tt.after)
		}
	}
}

func TestDaemonConfigRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{\n  \"a\": 1,\n  // a comment\n}": "byte 14",
		`{"a": 1`:                           "byte 7",
		`[]`:                                "not an object",
		`{} {}`:                             "something follows",
		"\ufeff[]":                          "not an object",
		"\ufeff{\"a\" 1}":                   "byte 8",
	} {
		_, err := parseOptions([]byte(text))
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestDaemonConfigOdd has files as they are met: what dockerd takes is taken, with every byte
// of it left in place, and what it refuses is refused.
func TestDaemonConfigOdd(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"three objects":    {text: "{\n  \"ipv6\": \"true\"\n   \"fixed-cidr-v6\": \"fd00:1::/64\"\n}\n{\n  \"ip6tables\": \"true\"\n}\n"},
		"a bool as text":   {"{\"allow-direct-routing\": \"true\", \"bip\": \"10.0.0.1/24\"}", "{\"allow-direct-routing\": true, \"bip\": \"10.0.0.1/24\"}"},
		"byte order mark":  {"\ufeff{\r\n  \"bip\": \"10.0.0.1/24\"\r\n}\r\n", "\ufeff{\r\n  \"bip\": \"10.0.0.1/24\",\r\n  \"allow-direct-routing\": true\r\n}\r\n"},
		"trailing comma":   {text: "{\n \"selinux-enabled\": true,}\n"},
		"a page":           {text: "<!DOCTYPE html>\n<html>"},
		"missing comma":    {text: "{\n \"hosts\": [\"unix://\"]\n \"experimental\": true\n}\n"},
		"an option twice":  {"{\"bip\":\"10.0.0.1/24\",\"allow-direct-routing\":false,\"allow-direct-routing\":false}", "{\"bip\":\"10.0.0.1/24\",\"allow-direct-routing\":false,\"allow-direct-routing\":true}"},
		"typographic":      {text: "{“iptables”: false}"},
		"a comment before": {text: "# managed by ansible\n{\"bip\":\"10.0.0.1/24\"}\n"},
	} {
		c, err := parseOptions([]byte(tt.text))
		if tt.want == "" {
			if !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%s: %v, want it refused", name, err)
			}
			continue
		}
		if err == nil {
			c, err = c.set(optionDirect, "true")
		}
		if err != nil || string(c.text) != tt.want {
			t.Errorf("%s: %v, %v; want %q", name, c, err, tt.want)
		}
	}
}

// FuzzDaemonConfig sets an option in whatever parses, and takes it out again: all other
// bytes stay.
func FuzzDaemonConfig(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":1}`, "{\n\t\"a\": [1, {\"b\": \"}\"}],\n\t\"c\": \"\\\"\"\n}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseOptions(text)
		if err != nil || c.at("ours") >= 0 || len(c.members) == 0 {
			return
		}
		with, err := c.set("ours", "true")
		if err != nil || with.value("ours") != "true" {
			t.Fatalf("set in %q: %v", text, err)
		}
		without, err := with.drop("ours")
		if err != nil || string(without.text) != string(text) {
			t.Errorf("%q became %q, %v", text, without.text, err)
		}
	})
}
