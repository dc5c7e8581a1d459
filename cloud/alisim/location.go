package alisim

import "cmp"

// DescribeEndpoints is the location service's only action: everything is here.
func DescribeEndpoints(w *world, c *call) (reply, error) {
	out, scheme := &endpoints{Success: true}, "HTTP"
	if c.secured {
		scheme = "HTTPS"
	}
	out.Endpoints.Endpoint = []endpoint{{
		Protocols: protocols{[]string{scheme}}, Type: cmp.Or(c.get("Type"), "openAPI"), ID: cmp.Or(c.get("Id"), w.region),
		ServiceCode: c.get("ServiceCode"), Endpoint: c.host,
	}}
	return out, nil
}

type endpoints struct {
	body
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
