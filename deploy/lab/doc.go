// Package lab builds a whole cluster on one machine, for `sealane-lab` and the end-to-end
// tests: a simulated VPC that really forwards packets, hosts that each run a real Docker
// engine, etcd, controllers and agents.
//
//	+--------------- namespace sl-<name>-vpc: the VPC's router ----------------+
//	|  metadata 100.100.100.200   OpenAPI 100.100.100.100   routes as tables say |
//	+----+ vh1 ------------+ vh2 ------------ ... ------------+ vm ------------+
//	     |                 |                                  |
//	+----+ eth0 ----+ +----+ eth0 ----+              +--------+ eth0 ----------+
//	| sl-<name>-h1  | | sl-<name>-h2  |              | sl-<name>-mgr           |
//	| dockerd agent | | dockerd agent |              | controllers, etcd       |
//	+---------------+ +---------------+              +-------------------------+
//
// Nothing is made in the machine's own network namespace but one listener on loopback,
// through which the controller's API is reached. Every packet between hosts is routed
// by the VPC namespace, so that what the route tables lack, security groups do not admit or
// the source/destination check of an interface finds foreign does not arrive.
//
// All a lab makes carries its name and is noted in a state file as it is made; [Down]
// takes it away again from any half-built or half-dead state.
package lab
