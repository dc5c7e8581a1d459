package kernel

import "github.com/sealane/sealane/cloud/alisim"

// port is a network interface of an instance, with the link that leads to it.
type port struct {
	alisim.Interface
	vpc     string
	link    string // empty without one
	running bool
}

// portsOf lists the interfaces of all instances, by their ids; those of one instance follow
// one another.
func portsOf(world alisim.Seed, links map[string]Port) []port {
	var all []port
	for _, i := range world.Instances {
		for n, f := range i.Attached() {
			at, ok := links[f.ID]
			if !ok && n == 0 {
				at = links[i.ID]
			}
			all = append(all, port{f, i.VPC, at.Link, i.Status == alisim.Running})
		}
	}
	return all
}
