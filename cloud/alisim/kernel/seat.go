package kernel

import "github.com/sealane/sealane/cloud/alisim"

// seat is a network interface of an instance, with the port that it is plugged in at.
type seat struct {
	alisim.Interface
	vpc     string
	link    string // empty without a port
	running bool
}

// seatsOf lists the interfaces of all instances, by their ids; those of one instance follow
// one another.
func seatsOf(world alisim.Seed, ports map[string]Port) []seat {
	var all []seat
	for _, i := range world.Instances {
		for n, f := range i.Attached() {
			port, ok := ports[f.ID]
			if !ok && n == 0 {
				port = ports[i.ID]
			}
			all = append(all, seat{f, i.VPC, port.Link, i.Status == alisim.Running})
		}
	}
	return all
}
