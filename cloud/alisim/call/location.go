package call

import (
	"cmp"

	"github.com/sealane/sealane/cloud/alisim/world"
)

// DescribeEndpoints is the location service's only action: everything is here.
func DescribeEndpoints(w *world.World, c *Call) (Reply, error) {
	out, scheme := &endpoints{Success: true}, "HTTP"
	if c.secured {
		scheme = "HTTPS"
	}
	out.Endpoints.Endpoint = []endpoint{{
		Protocols: protocols{[]string{scheme}}, Type: cmp.Or(c.Param("Type"), "openAPI"), ID: cmp.Or(c.Param("Id"), w.Region),
		ServiceCode: c.Param("ServiceCode"), Endpoint: c.host,
	}}
	return out, nil
}

type endpoints struct {
	Body
	Success   bool `json:"Success"`
	Endpoints struct {
		Endpoint []endpoint `json:"Endpoint"`
	} `json:"Endpoints"`
}

type endpoint struct {
	Protocols   protocols `json:"Protocols"`
	Type        string    `json:"Type"`
	Namespace   string    `json:"Namespace"`
	ID          string    `json:"Id"`
	ServiceCode string    `json:"SerivceCode"` // the API's spelling
	Endpoint    string    `json:"Endpoint"`
}

type protocols struct {
	Protocols []string `json:"Protocols"`
}
