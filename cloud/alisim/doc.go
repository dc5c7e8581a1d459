// Package alisim simulates the part of Alibaba Cloud that sealane and its neighbours speak
// to: the VPC, ECS and STS OpenAPI and the instance metadata service, over HTTP, with
// signatures, policies, states, batches, quotas, paging, faults on demand and a log of every
// request.
//
// It has rooms, each of which knows those before it: world/seed and world are the model, which
// knows nothing of HTTP; fault is what goes wrong; call reads, verifies and answers requests;
// vpc and ecs hold a small handler for each action; metadata and control serve instances and
// whoever runs the simulator. This package joins them, and names what its users need. Where
// the API's documents are silent or contradict one another, the simulator takes the reading
// that is harder on its caller, unless clients are known to rely on the other, and [Readings]
// play the other one.
//
// Time is read from the clock whenever a request or a method comes in; there are no
// goroutines, so a simulator needs no closing and keeps to the fake clock of a
// testing/synctest bubble.
package alisim
