package api

// Ids are the cloud's own names; distinct types keep one from standing in for another.
type (
	// InstanceID names a machine in the cloud, for example "i-8vb6dyu0clj3b538e1yh".
	InstanceID string
	// VPCID names a virtual network, for example "vpc-8vb...".
	VPCID string
	// VSwitchID names one subnet of the VPC, for example "vsw-8vb...".
	VSwitchID string
	// InterfaceID names a network interface of an instance, for example "eni-8vb...".
	InterfaceID string
	// GroupID names a security group, for example "sg-8vb...".
	GroupID string
	// TableID names a VPC route table, for example "vtb-8vb...".
	TableID string
)

// Term identifies one leadership: the leader's key in the registry and that key's
// create revision. Every write by a leader is a transaction that fails unless the
// key still has this revision, so a deposed leader cannot write.
type Term struct {
	Key      string `json:"key"`
	Revision int64  `json:"revision"` // grows with each new leader; 0 is no leadership
	Leader   string `json:"leader"`   // the replica's name, for people
}
