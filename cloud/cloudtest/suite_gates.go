package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud"
)

// bare is a basic group without rules, in which gate tests put the first host.
const bare = api.GroupID("sg-bp1small00000000000021")

func checkTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"source check switched": func(s *suite) {
			i := s.world.Instances[1]
			i.SourceCheck, i.Others[0].SourceCheck = true, true
			s.Hand.AddInstance(i)
			for _, step := range []struct {
				id             api.InterfaceID
				on             bool
				primary, other bool
				changed        bool
			}{
				{i.Interface.ID, false, false, true, true},
				{i.Interface.ID, false, false, true, false},
				{i.Others[0].ID, false, false, false, true},
				{i.Interface.ID, true, true, false, true},
			} {
				changed, err := s.Gates.SetSourceCheck(s.ctx, step.id, step.on, s.permit)
				if err != nil || changed != step.changed {
					s.Fatalf("%s to %t: changed %t, want %t: %v", step.id, step.on, changed, step.changed, err)
				}
				if got := s.instance(1); got.SourceCheck != step.primary || got.Others[0].SourceCheck != step.other {
					s.Fatalf("%s to %t: got %t and %t", step.id, step.on, got.SourceCheck, got.Others[0].SourceCheck)
				}
			}
			if got := s.instance(1); !slices.Equal(got.Groups, i.Groups) {
				s.Errorf("groups are now %v", got.Groups)
			}
			s.knows([]api.InstanceID{s.host(2)}, s.world.Instances[2])
		},
		"source check of an unknown interface": func(s *suite) {
			s.fails(s.sourceCheck(s.ctx, "eni-bp1small0000000000077", false), api.ErrNotFound)
		},
	}
}

func admitTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"admit": func(s *suite) {
			s.bare("")
			s.admit("10.0.0.0/8 fd00::/8")
			got := s.instance(0)
			s.covers(got.Admits, "10.0.0.0/8", true)
			s.covers(got.Admits, "fd00::/8", true)
			s.covers(got.Admits, "11.0.0.0/8", false)
			want := []string{"in accept 1 10.0.0.0/8 ours", "in accept 1 fd00::/8 ours"}
			s.ruled(want...)
			s.admit("10.0.0.0/8 fd00::/8")
			s.admit("10.7.0.0/16")
			s.ruled(want...)
		},
		"admit what another rule admits": func(s *suite) {
			s.bare("in accept 7 10.0.0.0/9; in accept 9 10.128.0.0/9")
			s.admit("10.0.0.0/8")
			s.ruled("in accept 7 10.0.0.0/9", "in accept 9 10.128.0.0/9")
		},
		"admit to an enterprise group": func(s *suite) {
			s.Hand.SetGroup(Group{ID: bare, Enterprise: true})
			i := s.world.Instances[0]
			i.Groups = []api.GroupID{bare}
			s.Hand.AddInstance(i)
			s.admit("10.0.0.0/8")
			got := s.instance(0)
			s.covers(got.Admits, "10.0.0.0/8", true)
			s.covers(got.Emits, "10.0.0.0/8", true)
			s.covers(got.Emits, "11.0.0.0/8", false)
			s.ruled("in accept 1 10.0.0.0/8 ours", "out accept 1 10.0.0.0/8 ours")
			s.revoke("suite", 2)
			s.ruled()
		},
		"admit what weaker rules drop": func(s *suite) {
			s.bare("in drop 2 0.0.0.0/0; out drop 2 10.0.0.0/8")
			s.admit("10.0.0.0/8")
			got := s.instance(0)
			s.covers(got.Admits, "10.0.0.0/8", true)
			s.covers(got.Emits, "10.0.0.0/8", true)
			s.revoke("suite", 2)
			s.ruled("in drop 2 0.0.0.0/0", "out drop 2 10.0.0.0/8")
		},
		"admit what a rule outranks": func(s *suite) {
			s.bare("in drop 1 10.1.0.0/16")
			s.fails(s.Gates.Admit(s.ctx, bare, "suite", pools("10.0.0.0/12 10.16.0.0/12"), s.permit), api.ErrRefused)
			got := s.instance(0)
			s.covers(got.Admits, "10.16.0.0/12", true)
			s.covers(got.Admits, "10.2.0.0/16", false)
			s.ruled("in drop 1 10.1.0.0/16", "in accept 1 10.16.0.0/12 ours")
		},
		"admit nothing": func(s *suite) {
			s.bare("")
			s.admit("")
			s.ruled()
		},
	}
}

func gateTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"revoke what is ours only": func(s *suite) {
			foreign := rules("in accept 3 10.0.0.0/16; out accept 1 10.0.0.0/8 TCP 80/80")
			foreign[0].Description = "managed-by=sealane;v=2;cluster=suite2"
			foreign[1].Description = cloud.RuleMark("suite") + " once" // edited
			s.Hand.SetGroup(Group{ID: bare, Rules: foreign})
			s.admit("10.0.0.0/8 172.16.0.0/12 fd00::/8")
			if err := s.Gates.Admit(s.ctx, bare, "other", pools("10.0.0.0/8 11.0.0.0/8"), s.permit); err != nil {
				s.Fatal(err)
			}
			kept := s.ruleTexts()
			s.revoke("suite", 3)
			kept = slices.DeleteFunc(kept, func(text string) bool { return strings.HasSuffix(text, "ours") })
			s.ruled(kept...)
			s.revoke("suite", 0)
			s.revoke("other", 1)
			if got := s.Hand.Rules(bare); len(got) != 2 {
				s.Errorf("rules left: %+v", got)
			}
		},
		"gates, nonsense": func(s *suite) {
			s.bare("")
			for _, call := range []struct {
				group   api.GroupID
				cluster string
				pools   []netip.Prefix
			}{
				{"", "suite", pools("10.0.0.0/8")},
				{bare, "", pools("10.0.0.0/8")},
				{bare, "a;b", pools("10.0.0.0/8")},
				{bare, "suite", pools("0.0.0.0/0")},
				{bare, "suite", pools("::/0")},
				{bare, "suite", []netip.Prefix{{}}},
				{bare, "suite", []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
			} {
				s.fails(s.Gates.Admit(s.ctx, call.group, call.cluster, call.pools, s.permit), api.ErrInvalid)
			}
			_, err := s.Gates.Revoke(s.ctx, bare, "", s.permit)
			s.fails(err, api.ErrInvalid)
			_, err = s.Gates.Revoke(s.ctx, "", "suite", s.permit)
			s.fails(err, api.ErrInvalid)
			s.ruled()
		},
		"gates, unknown group": func(s *suite) {
			s.fails(s.Gates.Admit(s.ctx, bare, "suite", pools("10.0.0.0/8"), s.permit), api.ErrNotFound)
			_, err := s.Gates.Revoke(s.ctx, bare, "suite", s.permit)
			s.fails(err, api.ErrNotFound)
		},
		"gates, no permit": func(s *suite) {
			s.bare("")
			s.admit("10.0.0.0/8")
			i := s.world.Instances[0].Interface.ID
			s.permit = func() error { return errStop }
			s.fails(s.Gates.Admit(s.ctx, bare, "suite", pools("11.0.0.0/8"), s.permit), errStop)
			s.fails(s.sourceCheck(s.ctx, i, true), errStop)
			_, err := s.Gates.Revoke(s.ctx, bare, "suite", s.permit)
			s.fails(err, errStop)
			s.ruled("in accept 1 10.0.0.0/8 ours")
			if s.instance(0).SourceCheck {
				s.Error("the check was switched on")
			}
		},
		"gates, context ended before": func(s *suite) {
			s.bare("")
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			s.fails(s.Gates.Admit(ctx, bare, "suite", pools("10.0.0.0/8"), s.permit), context.Canceled)
			s.fails(s.sourceCheck(ctx, s.world.Instances[0].Interface.ID, true), context.Canceled)
			_, err := s.Gates.Revoke(ctx, bare, "suite", s.permit)
			s.fails(err, context.Canceled)
			s.ruled()
		},
	}
}

// bare puts the first host into a basic group with these rules alone.
func (s *suite) bare(text string) {
	s.Hand.SetGroup(Group{ID: bare, Rules: rules(text)})
	i := s.world.Instances[0]
	i.Groups = []api.GroupID{bare}
	s.Hand.AddInstance(i)
}

func pools(text string) []netip.Prefix {
	var list []netip.Prefix
	for pool := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParsePrefix(pool))
	}
	return list
}

func (s *suite) admit(text string) {
	s.Helper()
	if err := s.Gates.Admit(s.ctx, bare, "suite", pools(text), s.permit); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) revoke(cluster string, want int) {
	s.Helper()
	if n, err := s.Gates.Revoke(s.ctx, bare, cluster, s.permit); err != nil || n != want {
		s.Fatalf("revoke: %d, %v; want %d", n, err, want)
	}
}

func (s *suite) fails(err, kind error) {
	s.Helper()
	if !errors.Is(err, kind) {
		s.Errorf("got %v, want %v", err, kind)
	}
}

// ruled requires that the bare group has exactly these rules.
func (s *suite) ruled(want ...string) {
	s.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(s.ruleTexts(), "\n")); diff != "" {
		s.Errorf("rules of %s (-want +got):\n%s", bare, diff)
	}
}

// ruleTexts are the bare group's rules in the words of rules, and whose they are, sorted.
func (s *suite) ruleTexts() []string {
	var all []string
	for _, r := range s.Hand.Rules(bare) {
		way, policy := "in", "accept"
		if r.Egress {
			way = "out"
		}
		if r.Drop {
			policy = "drop"
		}
		text := fmt.Sprintf("%s %s %d %s %s %s", way, policy, r.priority(), r.Peer, r.Protocol, r.Ports)
		if r.Description != "" {
			text += " " + strings.ReplaceAll(r.Description, cloud.RuleMark("suite"), "ours")
		}
		all = append(all, strings.Join(strings.Fields(text), " "))
	}
	slices.Sort(all)
	return all
}

func (s *suite) sourceCheck(ctx context.Context, id api.InterfaceID, on bool) error {
	_, err := s.Gates.SetSourceCheck(ctx, id, on, s.permit)
	return err
}
