package alicloud

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"golang.org/x/sync/errgroup"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
)

const parallel = 8 // calls under way at once for one question

// task is a part of a question. Tasks that go together run at the same time.
type task func(context.Context) error

// runTogether runs tasks, a few at a time, and ends all with the first that fails.
func runTogether(ctx context.Context, tasks ...task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, t := range tasks {
		group.Go(func() error { return t(ctx) })
	}
	return group.Wait()
}

// memory is what answers so far tell of what to ask for next. It is never evidence.
type memory struct {
	mu         sync.Mutex
	interfaces map[api.InstanceID][]string
	groups     []api.GroupID
	crowded    bool                 // the VPC has too many interfaces to list them all
	enterprise map[api.GroupID]bool // which never changes for a group
	told       map[string]bool      // missing permissions that were logged
}

// survey is one reading of instances with their interfaces and security groups.
type survey struct {
	*Provider
	mu         sync.Mutex // guards all below while tasks run
	instances  map[string]ecs.Instance
	interfaces map[string]ecs.NetworkInterfaceSet
	groups     map[api.GroupID]group
	asked      map[api.GroupID]bool // read, or not to be read
	crowded    bool
	denied     map[string]error // by what may not be read
}

// survey asks for the instances together with what belonged to them the last time, then for
// what is new.
func (p *Provider) survey(ctx context.Context, ids []api.InstanceID) (*survey, error) {
	s := &survey{
		Provider: p, instances: map[string]ecs.Instance{}, interfaces: map[string]ecs.NetworkInterfaceSet{},
		groups: map[api.GroupID]group{}, asked: map[api.GroupID]bool{}, denied: map[string]error{},
	}
	interfaces, groups := s.recallLast(ids)
	chunks := slices.Collect(slices.Chunk(ids, instancePage))
	first := s.askInterfaces(interfaces)
	if !s.crowded { // page after page takes longest, so it begins first
		first = []task{func(ctx context.Context) error { return s.listInterfaces(ctx, len(chunks)) }}
	}
	for _, chunk := range chunks {
		first = append(first, func(ctx context.Context) error { return s.readInstances(ctx, chunk) })
	}
	err := runTogether(ctx, append(first, s.askGroups(groups)...)...)
	if err == nil {
		err = runTogether(ctx, s.askInterfaces(s.newInterfaces())...)
	}
	if err == nil {
		err = runTogether(ctx, s.askGroups(s.newGroups())...)
	}
	if err != nil {
		return nil, err
	}
	s.rememberLast()
	for what, err := range s.denied {
		p.logMissing(ctx, what, err)
	}
	return s, nil
}

// recallLast takes from memory what to ask for at once.
func (s *survey) recallLast(ids []api.InstanceID) (interfaces []string, groups []api.GroupID) {
	s.last.mu.Lock()
	defer s.last.mu.Unlock()
	for _, id := range ids {
		interfaces = append(interfaces, s.last.interfaces[id]...)
	}
	s.crowded = s.last.crowded
	return interfaces, s.last.groups
}

func (s *survey) rememberLast() {
	s.last.mu.Lock()
	defer s.last.mu.Unlock()
	s.last.interfaces, s.last.crowded = map[api.InstanceID][]string{}, s.crowded
	for _, i := range s.instances {
		s.last.interfaces[api.InstanceID(i.InstanceId)] = interfacesOf(i)
	}
	s.last.groups = slices.Sorted(maps.Keys(s.used()))
}

func interfacesOf(i ecs.Instance) []string {
	var ids []string
	for _, n := range i.NetworkInterfaces.NetworkInterface {
		ids = append(ids, n.NetworkInterfaceId)
	}
	return ids
}

// newInterfaces are those of the instances that were not read.
func (s *survey) newInterfaces() []string {
	if s.denied[readingInterfaces] != nil {
		return nil
	}
	var ids []string
	for _, i := range s.instances {
		for _, id := range interfacesOf(i) {
			if _, read := s.interfaces[id]; !read {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (s *survey) askInterfaces(ids []string) []task {
	var tasks []task
	for chunk := range slices.Chunk(ids, instancePage) {
		tasks = append(tasks, func(ctx context.Context) error { return s.readInterfaces(ctx, chunk) })
	}
	return tasks
}

// used are the security groups of the instances' interfaces.
func (s *survey) used() map[api.GroupID]bool {
	used := map[api.GroupID]bool{}
	for _, i := range s.instances {
		of := s.instanceOf(i)
		for _, n := range append(of.Others, of.Interface) {
			for _, g := range n.Groups {
				used[g] = true
			}
		}
	}
	return used
}

func (s *survey) newGroups() []api.GroupID {
	used := s.used()
	maps.DeleteFunc(used, func(id api.GroupID, _ bool) bool { return s.asked[id] })
	return slices.Sorted(maps.Keys(used))
}

func (s *survey) askGroups(ids []api.GroupID) []task {
	var tasks []task
	for _, id := range ids {
		s.asked[id] = true
		tasks = append(tasks, func(ctx context.Context) error {
			g, err := s.readGroup(ctx, id)
			s.mu.Lock()
			defer s.mu.Unlock()
			if err == nil {
				s.groups[id] = g
			}
			if errors.Is(err, api.ErrNotFound) {
				return nil // removed since
			}
			return s.tolerate(readingGroups, err)
		})
	}
	return tasks
}

// What a missing permission may keep from being read, as the log names it.
const (
	readingInterfaces = "network interfaces"
	readingGroups     = "security groups"
	readingTypes      = "types of security groups"
	readingUsage      = "how full route tables are"
)

// tolerate lets a missing permission pass.
func (s *survey) tolerate(what string, err error) error {
	if !call.MissingPermission(err) {
		return err
	}
	s.denied[what] = err
	return nil
}

// logMissing logs a missing permission once.
func (p *Provider) logMissing(ctx context.Context, what string, err error) {
	p.last.mu.Lock()
	defer p.last.mu.Unlock()
	if p.last.told[what] {
		return
	}
	if p.last.told == nil {
		p.last.told = map[string]bool{}
	}
	p.last.told[what] = true
	p.log.WarnContext(ctx, "a permission is missing, the careful answer is assumed", api.KeyDetail, what, api.KeyError, err)
}
