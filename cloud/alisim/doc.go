// Package alisim simulates the part of Alibaba Cloud that sealane and its neighbours speak
// to: the VPC, ECS and STS OpenAPI and the instance metadata service, over HTTP, with
// signatures, policies, states, batches, quotas, paging, faults on demand and a log of every
// request.
//
// It is layered. The model (model.go, task.go, route.go, destination.go) knows VPCs, tables,
// entries and the states they pass through, and nothing of HTTP. The wire (wire.go, sign.go,
// query.go, fault.go) reads, verifies and answers requests. Between them stands one table of
// actions (actions.go) with a small handler for each, which answers in the shapes of the API
// (shape_*.go). Beside the wire the admin endpoint (control*.go) reaches into the model by
// HTTP, as the methods of Sim do from Go. Where the API's documents are silent or contradict
// one another, the simulator takes the reading that is harder on its caller, unless clients
// are known to rely on the other, and [Readings] play the other one.
//
// Time is read from the clock whenever a request or a method comes in; there are no
// goroutines, so a simulator needs no closing and keeps to the fake clock of a
// testing/synctest bubble.
package alisim
