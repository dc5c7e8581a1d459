// Package api is sealane's vocabulary: the plain values that agents, controller,
// operators and tools exchange. It imports the standard library only and does
// nothing but describe, compare and print.
//
// A host runs Docker and an agent. Its agent reports the subnets of the host's
// bridges to the registry. The controller turns reports into desired routes,
// compares them with the actual routes of the cloud, and gets a [Plan]: changes
// to make, changes held back, claims refused. Each of them carries a [Reason].
//
// Prefixes are always [netip.Prefix] in masked form. Times are UTC.
package api
