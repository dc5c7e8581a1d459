package alicloud_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/alisim"
)

// The parts of a key, with characters that escaping changes. Nothing that is printed may
// show one of them, or a signature made with them.
const (
	canaryKey    = "canary-id/+=&1"
	canarySecret = "canary-secret/+=&2"
	canaryToken  = "canary-token/+=&3"
)

// forms are what a secret looks like in a text: as it is, escaped once and twice, in JSON,
// and in base64 wherever in the encoded text it begins.
func forms(secret string) []string {
	once := url.QueryEscape(secret)
	quoted, _ := json.Marshal(secret) //nolint:errchkjson // a string is always encoded
	list := []string{secret, once, url.QueryEscape(once), strings.ToLower(once), url.PathEscape(secret), strings.Trim(string(quoted), `"`)}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret + "xxx"))
			list = append(list, text[4:len(text)-8]) // what surrounds it leaves these characters alone
		}
	}
	return list
}

// trial is one operation while something goes wrong. Its output is all that can be printed
// of it.
type trial struct {
	name    string
	operate func(context.Context, *alicloud.Provider) (any, error)
	fault   *alisim.Fault
	echo    http.HandlerFunc
	reads   bool // that lists are echoed too, not only what changes something
	adjust  func(*alicloud.Config)

	mu         sync.Mutex // guards what follows
	output     bytes.Buffer
	signatures []string
	hit        bool
	failed     bool
}

// Write takes a log line or what was formatted.
func (tr *trial) Write(text []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.output.Write(text)
}

// show formats a value in every way that does not follow pointers.
func (tr *trial) show(v any) {
	_, _ = fmt.Fprintf(tr, "%v\n%+v\n%#v\n%s\n%q\n%d\n%x\n", v, v, v, v, v, v, v)
	slog.New(slog.NewTextHandler(tr, nil)).Info("shown", "value", v)
	slog.New(slog.NewJSONHandler(tr, nil)).Info("shown", "value", v)
}

// showErrors formats an error and all that it wraps.
func (tr *trial) showErrors(err error) {
	if err == nil {
		return
	}
	tr.show(err)
	switch wraps := err.(type) { //nolint:errorlint // each error of the tree is looked at
	case interface{ Unwrap() error }:
		tr.showErrors(wraps.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range wraps.Unwrap() {
			tr.showErrors(e)
		}
	}
}

// seed is a world in which every operation has something to do.
func seed() alisim.Seed {
	s := alisim.Example()
	s.Keys = []alisim.Key{{ID: canaryKey, Secret: canarySecret}}
	v := &s.VPCs[0]
	v.SecurityGroups[0].Ingress = append(v.SecurityGroups[0].Ingress, alisim.Rule{Source: netip.MustParsePrefix("10.0.0.0/8"), Priority: 1, Description: "sealane c"})
	v.SecurityGroups = append(v.SecurityGroups, alisim.SecurityGroup{ID: "sg-2", Type: "enterprise"})
	for n := byte(2); n <= 3; n++ {
		r := entry(n)
		v.Tables[0].Routes = append(v.Tables[0].Routes, alisim.Route{Destination: r.Destination, NextHop: r.NextHop, Name: r.Mark.Name(), Description: api.Seal{}.Description(r)})
	}
	s.Instances[0].ENI, s.Instances[0].SourceDestCheck = "eni-1", true
	return s
}

func (tr *trial) run(t *testing.T) {
	sim, err := alisim.New(seed(), alisim.Options{TaskTime: time.Millisecond, Strict: true})
	if err != nil {
		t.Error(err)
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tr.mu.Lock()
		tr.signatures = append(tr.signatures, r.URL.Query().Get("Signature"))
		tr.mu.Unlock()
		if tr.echo != nil && (tr.reads || !strings.HasPrefix(r.URL.Query().Get("Action"), "Describe")) {
			tr.echo(w, r)
			return
		}
		sim.API().ServeHTTP(w, r)
	}))
	defer server.Close()
	if tr.fault != nil {
		sim.Fault(*tr.fault)
	}
	c := alicloud.Config{
		Region: "cn-hangzhou", VPC: "vpc-1", Endpoint: server.URL, AccessKeyID: canaryKey, AccessKeySecret: canarySecret, SecurityToken: canaryToken,
		Timeout: 10 * time.Second, Settle: 20 * time.Millisecond, Poll: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(tr, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})),
	}
	if tr.fault != nil && tr.fault.Delay > 0 {
		c.Timeout = tr.fault.Delay / 10
	}
	if tr.adjust != nil {
		tr.adjust(&c)
	}
	p, err := alicloud.New(c)
	if err != nil {
		tr.failed = true
		tr.showErrors(err)
		return
	}
	defer p.Close()
	tr.do(t, p)
	tr.show(c)
	tr.show(&c)
	tr.show(p)
	server.Close() // waits for requests that the provider gave up
	for _, armed := range sim.Faults() {
		tr.hit = tr.hit || armed.Hits > 0
	}
}

func (tr *trial) do(t *testing.T, p *alicloud.Provider) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s panics", tr.name)
			tr.show(r)
			_, _ = tr.Write(debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	value, err := tr.operate(ctx, p)
	tr.failed = err != nil
	tr.show(value)
	tr.showErrors(err)
}

// check finds secrets in the output.
func (tr *trial) check(t *testing.T) {
	t.Helper()
	output := tr.output.String()
	for name, secret := range map[string]string{"key id": canaryKey, "secret": canarySecret, "token": canaryToken} {
		found(t, tr.name, name, secret, output)
	}
	for _, s := range tr.signatures {
		found(t, tr.name, "signature", s, output)
	}
	found(t, tr.name, "name of the parameter", "Signature=", output)
}

func found(t *testing.T, trial, what, secret, output string) {
	t.Helper()
	for _, form := range forms(secret) {
		if at := strings.Index(output, form); at >= 0 && secret != "" {
			t.Errorf("%s: the %s is printed as %s:\n%.400s", trial, what, form, output[max(0, at-200):])
			return
		}
	}
}

// trials are every operation with every fault, at each of its calls and at a later one, and
// with every echo.
func trials(t *testing.T) []*trial {
	t.Helper()
	var list []*trial
	for operation, operate := range operations() {
		for _, fault := range faults() {
			for _, when := range []alisim.Fault{{Times: -1}, {Times: 1, Skip: 1}, {Times: -1, Skip: 2}} {
				f := fault
				f.Times, f.Skip = when.Times, when.Skip
				list = append(list, &trial{name: fmt.Sprintf("%s with %+v", operation, f), operate: operate, fault: &f})
			}
		}
		for name, echo := range echoes() {
			list = append(list, &trial{name: operation + " echoed " + name, operate: operate, echo: echo, reads: true},
				&trial{name: operation + " with changes echoed " + name, operate: operate, echo: echo})
		}
		list = append(list, &trial{name: operation, operate: operate},
			&trial{name: operation + " with another secret", operate: operate, adjust: func(c *alicloud.Config) { c.AccessKeySecret = "not " + canarySecret }})
		for source, adjust := range sources(t) {
			list = append(list, &trial{name: operation + " with credentials of " + source, operate: operate, adjust: adjust})
		}
	}
	return list
}

func TestNothingPrintsASecret(t *testing.T) {
	list := trials(t)
	streams := captured(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 24) // most of a trial is waiting
	for _, tr := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			tr.run(t)
		})
	}
	wg.Wait()
	hit, failed := map[string]bool{}, 0
	for _, tr := range list {
		tr.check(t)
		if tr.failed {
			failed++
		}
		if tr.fault != nil {
			f := *tr.fault
			f.Times, f.Skip = 0, 0
			name := fmt.Sprintf("%+v", f)
			hit[name] = hit[name] || tr.hit
		}
	}
	for name, ok := range hit {
		if !ok {
			t.Errorf("no operation meets the fault %s", name)
		}
	}
	if failed < len(list)/3 {
		t.Errorf("only %d of %d trials failed: the faults do not strike", failed, len(list))
	}
	printed := streams()
	for _, secret := range []string{canaryKey, canarySecret, canaryToken, "Signature="} {
		found(t, "standard streams", "secret", secret, printed)
	}
}

// captured takes what is written to the standard streams and by package log until the
// returned function is called.
func captured(t *testing.T) func() string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, logged := os.Stdout, os.Stderr, log.Writer()
	os.Stdout, os.Stderr = writer, writer
	log.SetOutput(writer)
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(reader)
		text <- string(all)
	}()
	return func() string {
		os.Stdout, os.Stderr = stdout, stderr
		log.SetOutput(logged)
		_ = writer.Close()
		defer reader.Close() //nolint:errcheck // it was read to its end
		return <-text
	}
}
