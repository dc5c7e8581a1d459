package api

// Log keys, one list for all. Messages are constant; what varies goes under these.
const (
	KeyCluster     = "cluster"
	KeyHost        = "host"
	KeyInstance    = "instance"
	KeyDestination = "destination"
	KeyNextHop     = "next_hop"
	KeyTable       = "table"
	KeyVerb        = "verb"
	KeyReason      = "reason"
	KeyDetail      = "detail"
	KeyTerm        = "term"
	KeyRevision    = "revision"
	KeyError       = "error"
	KeyTrigger     = "trigger"
	KeyFinding     = "finding"
	KeyAddress     = "address"
	KeyDelay       = "delay"
	KeyCount       = "count"
	KeyPolicy      = "policy"
	KeyPools       = "pools"
	KeyBridge      = "bridge"
	KeyGate        = "gate"
	KeyRequest     = "request_id"
)
