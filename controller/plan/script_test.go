package plan

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

var update = flag.Bool("update", false, "rewrite the expected text in testdata")

// TestScripts plays testdata/*.txt. A script describes a cluster line by line; what "plan"
// and "routes" print stands below a line of dashes and ends with an empty line:
//
//	table vtb-1                                   a table that routes go to
//	pool 10.0.0.0/8
//	vswitch vsw-1 10.9.0.0/24
//	host i-a alive 10.0.0.0/24 name=web-1 age=1   life, subnets, claim revision
//	forget i-a                                    its record is lost
//	route vtb-1 10.0.0.0/24 i-a owned             or owned=<host>, foreign, other=<host>; state=Pending
//	lose vtb-1 10.0.0.0/24                        somebody deletes the route
//	policy full | guard 5 0.1 | quota vtb-1 200 | confirm <id> | written vtb-1 10.0.0.0/24
//	incomplete registry | incomplete cloud | complete
//	plan | routes | apply                         show the plan, show the tables, make the changes
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

const dashes = "----"

// play runs a script and returns it with what was really printed.
func play(text string) (string, error) {
	s := script{cluster: cluster{
		rules: Rules{Cluster: "lab", VPC: "vpc-1"},
		guard: Guard{
			Cluster: "lab", Policy: api.PolicyFull, RegistryComplete: true, CloudComplete: true,
			Deletes: api.DefaultConfig().Guard, Quota: map[api.TableID]int{}, Written: map[api.RouteKey]bool{},
		},
	}}
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for n := 0; n < len(lines); n++ {
		fmt.Fprintln(&out, lines[n])
		words := strings.Fields(lines[n])
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		printed, err := s.do(words[0], words[1:])
		if err != nil {
			return "", fmt.Errorf("line %d: %w", n+1, err)
		}
		if words[0] != "plan" && words[0] != "routes" {
			continue
		}
		fmt.Fprint(&out, dashes, "\n", printed)
		if n+1 < len(lines) && lines[n+1] == dashes {
			for n++; n+1 < len(lines) && lines[n+1] != ""; n++ {
			}
		}
	}
	return out.String(), nil
}

type script struct {
	cluster
	last api.Plan
}

// do runs one command. Scripts are written by hand and a wrong one stops the test, so it
// reads words by position and lets a missing one panic.
func (s *script) do(command string, w []string) (printed string, err error) {
	switch command {
	case "table":
		s.rules.Tables = append(s.rules.Tables, api.TableID(w[0]))
	case "pool":
		s.rules.Pools = append(s.rules.Pools, prefix(w[0]))
		s.guard.Pools = s.rules.Pools
	case "vswitch":
		s.rules.VSwitches = append(s.rules.VSwitches, VSwitch{api.VSwitchID(w[0]), prefix(w[1])})
	case "host":
		s.host(w)
	case "forget":
		s.hosts = slices.DeleteFunc(s.hosts, func(h api.Host) bool { return string(h.Instance) == w[0] })
	case "route":
		s.route(w)
	case "lose":
		key := api.RouteKey{Table: api.TableID(w[0]), Destination: prefix(w[1])}
		s.have = slices.DeleteFunc(s.have, func(r api.Route) bool { return r.Key() == key })
	case "written":
		s.guard.Written[api.RouteKey{Table: api.TableID(w[0]), Destination: prefix(w[1])}] = true
	case "policy":
		s.guard.Policy = api.Policy(w[0])
	case "guard":
		s.guard.Deletes.MaxDeletes, err = strconv.Atoi(w[0])
		s.guard.Deletes.MaxDeleteShare = must(strconv.ParseFloat(w[1], 64))
	case "quota":
		s.guard.Quota[api.TableID(w[0])], err = strconv.Atoi(w[1])
	case "confirm":
		s.guard.Confirmed = w[0]
	case "complete":
		s.guard.RegistryComplete, s.guard.CloudComplete = true, true
	case "incomplete":
		s.guard.RegistryComplete = s.guard.RegistryComplete && w[0] != "registry"
		s.guard.CloudComplete = s.guard.CloudComplete && w[0] != "cloud"
	case "plan":
		s.last = s.plan()
		printed = s.last.String()
	case "apply":
		s.have, err = apply(s.last, s.have)
	case "routes":
		for _, r := range s.have {
			printed += r.String() + "\n"
		}
	default:
		err = fmt.Errorf("unknown command %q", command)
	}
	return printed, err
}

func (s *script) host(w []string) {
	h := api.Host{
		Report: api.Report{Instance: api.InstanceID(w[0]), VPC: s.rules.VPC},
		Life:   api.Life(w[1]),
	}
	for _, word := range w[2:] {
		key, value, option := strings.Cut(word, "=")
		switch {
		case !option:
			h.Subnets = append(h.Subnets, api.Subnet{Prefix: prefix(word), Bridge: "docker0"})
		case key == "name":
			h.Name = value
		case key == "vpc":
			h.VPC = api.VPCID(value)
		case key == "age":
			for _, subnet := range h.Subnets {
				revision := must(strconv.ParseInt(value, 10, 64))
				h.Claims = append(h.Claims, api.Claim{Prefix: subnet.Prefix, Instance: h.Instance, Revision: revision})
			}
		default:
			panic("unknown option " + word)
		}
	}
	_, _ = s.do("forget", w)
	s.hosts = append(s.hosts, h)
}

func (s *script) route(w []string) {
	r := api.Route{Table: api.TableID(w[0]), Destination: prefix(w[1]), NextHop: w[2], State: api.RouteAvailable}
	for _, word := range w[3:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "foreign":
		case "owned":
			r.Mark = api.Mark{Cluster: s.rules.Cluster, Host: api.InstanceID(value)}
			if value == "" {
				r.Mark.Host = api.InstanceID(r.NextHop)
			}
		case "other":
			r.Mark = api.Mark{Cluster: "other", Host: api.InstanceID(value)}
		case "state":
			r.State = api.RouteState(value)
		default:
			panic("unknown option " + word)
		}
	}
	_, _ = s.do("lose", w)
	s.have = append(s.have, r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
