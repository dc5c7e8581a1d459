// Package e2e holds the end-to-end tests: real agents and controllers, built from this
// tree, on a lab with real Docker engines, a real etcd and a simulated VPC that forwards
// packets. They need root and Docker and say so when they are skipped.
package e2e
