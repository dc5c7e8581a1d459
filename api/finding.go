package api

// Severity of a finding. It follows the traffic: what it says is what packets do, whatever
// the cause.
type Severity string

// Severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning" // traffic passes as far as is known, but not as it should, or nobody can tell
	Failure Severity = "failure" // traffic between subnets surely dies, or does so for a host that waits
)

// rank orders severities, the gravest first.
func (s Severity) rank() int {
	switch s {
	case Failure:
		return 0
	case Warning:
		return 1
	default:
		return 2
	}
}

// Finding is something that diagnosis noticed. Codes are stable.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`          // what is wrong, with names and numbers
	Fix      string   `json:"fix,omitempty"` // what to do about it
}

// Code names a kind of finding.
type Code string

// Finding codes of the host, F001 to F099.
const (
	FindingNoBridge       Code = "SL-F001" // no Docker bridge with an IPv4 address yet
	FindingBridgeLost     Code = "SL-F002" // the bridge is gone; its claim is kept
	FindingForwardingOff  Code = "SL-F003" // net.ipv4.ip_forward is off and could not be turned on
	FindingRulesFailed    Code = "SL-F004" // the firewall rules could not be put in place
	FindingNoUplink       Code = "SL-F005" // no interface carries the host's private address
	FindingClaimRefused   Code = "SL-F006" // the registry refused a subnet: another host holds it
	FindingVariantDiffers Code = "SL-F007" // Docker uses another iptables variant than the default
	FindingPermission     Code = "SL-F008" // the agent lacks a capability
	FindingSourceMasked   Code = "SL-F009" // sources are masqueraded: keeping them could not be set up
	FindingBadSubnet      Code = "SL-F010" // a bridge's address gives no usable subnet
	FindingOtherVariant   Code = "SL-F011" // the iptables variant that Docker does not use drops what is forwarded
	FindingDropped        Code = "SL-F012" // a firewall rule drops packets between our subnets, and which one
	FindingFight          Code = "SL-F013" // another program keeps undoing what the agent puts in place
	FindingNotServed      Code = "SL-F014" // a network that was asked for cannot be served: it is internal, or not there
	FindingOverruled      Code = "SL-F015" // traffic between hosts passes where Docker or the operator restricts local traffic
	FindingSettings       Code = "SL-F016" // a kernel setting is not as it should be
	FindingEngineSilent   Code = "SL-F017" // Docker's API does not answer; networks are known by their bridges only
	FindingRedirected     Code = "SL-F018" // Docker's nftables backend is served by a redirect, not by marks
	FindingLeftOut        Code = "SL-F019" // a change that the host needs is switched off
	FindingUplink         Code = "SL-F020" // the uplink is no primary interface, and the cloud's id of it cannot be read
	FindingPeerAstray     Code = "SL-F021" // packets for another host's subnet leave by something else than the uplink
	FindingLocalAstray    Code = "SL-F022" // packets for a subnet of ours do not get to its bridge
	FindingSavedRules     Code = "SL-F023" // rules saved to be loaded at boot name our sets: loading them fails as a whole
	FindingUnprotected    Code = "SL-F024" // Docker's rules are gone, and its protection with them
	FindingExposes        Code = "SL-F025" // forwarding is not turned on, because it would open containers to strangers
	FindingSwings         Code = "SL-F026" // the state goes back and forth with our own changes: the careful reading is taken
	FindingEngineUnfit    Code = "SL-F027" // an engine that cannot be served: rootless, from snap, or podman
	FindingUnproven       Code = "SL-F028" // it is not known whether packets pass: something could not be read
	FindingSourceChain    Code = "SL-F029" // source addresses are kept by a chain of iptables, not by a table of nftables
)

// Finding codes of the controller and the cloud, F101 on.
const (
	FindingUnreadable    Code = "SL-F101" // a registry record cannot be decoded
	FindingCloud         Code = "SL-F102" // the cloud cannot be read or written
	FindingHostSilent    Code = "SL-F103" // a host's agent is not heard; its routes are kept
	FindingHostStopped   Code = "SL-F104" // the instance is stopped; traffic to it is lost
	FindingHostMissing   Code = "SL-F105" // the cloud does not know the instance
	FindingSourceCheck   Code = "SL-F106" // an interface's source/destination check drops container traffic
	FindingSecurityGroup Code = "SL-F107" // a security group does not admit the pools
	FindingConfig        Code = "SL-F108" // the cluster has no usable configuration
	FindingVSwitch       Code = "SL-F109" // a host is on a vSwitch that the VPC does not have
	FindingTable         Code = "SL-F110" // a vSwitch uses a route table that does not carry our routes
	FindingSpoiledMark   Code = "SL-F111" // a route carries a mark of ours that was copied or edited
	FindingQuota         Code = "SL-F112" // a table is full, or will be soon
	FindingRegistryOld   Code = "SL-F113" // the registry is older than the marks in the tables: it was restored or replaced
	FindingManage        Code = "SL-F114" // what was to be managed could not be: a permission is missing, or the cloud refuses
	FindingGatesUnread   Code = "SL-F115" // it is not known whether the cloud lets traffic to a host pass
)
