package api

// Reason says why something was decided. The list is closed: every change, hold,
// conflict and refusal carries one of these, in every place it is shown.
type Reason string

// Why a change is made.
const (
	ReasonNewSubnet      Reason = "new-subnet"      // a host reports a subnet that no table carries yet
	ReasonDriftMissing   Reason = "drift-missing"   // a route we had written is no longer there
	ReasonDriftNextHop   Reason = "drift-next-hop"  // a route of ours was pointed elsewhere by hand
	ReasonMoved          Reason = "moved"           // the subnet now belongs to another host
	ReasonAdopted        Reason = "adopted"         // an operator gave this foreign route to sealane
	ReasonResealed       Reason = "resealed"        // the mark is sealed with a key that is on its way out
	ReasonHostGone       Reason = "host-gone"       // the cloud no longer knows the instance
	ReasonHostLeft       Reason = "host-left"       // the host was taken out of service on purpose
	ReasonSubnetReleased Reason = "subnet-released" // the host no longer reports the subnet
)

// Why a change is held.
const (
	ReasonForeignRoute       Reason = "foreign-route"       // a route without our mark is in the way
	ReasonRegistryIncomplete Reason = "registry-incomplete" // not every record could be read
	ReasonRegistryOld        Reason = "registry-old"        // the registry is older than the marks in the tables
	ReasonCloudIncomplete    Reason = "cloud-incomplete"    // not every table or instance could be read
	ReasonDeleteBudget       Reason = "delete-budget"       // more deletes than the guard lets through
	ReasonQuota              Reason = "quota"               // the table is full
	ReasonPolicy             Reason = "policy"              // the policy does not allow this change
	ReasonNoEvidence         Reason = "no-evidence"         // nothing proves that the route is not needed
	ReasonInTransition       Reason = "in-transition"       // the cloud is still working on the route
	ReasonCloudError         Reason = "cloud-error"         // the cloud refused or failed the change
)

// Why a claim is refused.
const (
	ReasonOverlapsClaim   Reason = "overlaps-claim"   // another host holds an overlapping subnet
	ReasonOutsidePools    Reason = "outside-pools"    // the subnet is in no pool
	ReasonOverlapsVSwitch Reason = "overlaps-vswitch" // the subnet overlaps a vSwitch of the VPC
	ReasonReserved        Reason = "reserved"         // the range is never ours to route
	ReasonNoPrefix        Reason = "no-prefix"        // the subnet is no prefix of IPv4 or IPv6
	ReasonHostBits        Reason = "host-bits"        // the prefix has bits set beyond its mask
	ReasonInstanceUnknown Reason = "instance-unknown" // the cloud does not know the host's instance
	ReasonWrongVPC        Reason = "wrong-vpc"        // the host is in another VPC
)

// Reasons is the closed list, each with the sentence that explains it to an operator.
func Reasons() map[Reason]string {
	return map[Reason]string{
		ReasonNewSubnet:          "a host reports this subnet and no table carries it yet",
		ReasonDriftMissing:       "the route had been written and is no longer in the table",
		ReasonDriftNextHop:       "the route is ours but was pointed elsewhere",
		ReasonMoved:              "the subnet now belongs to another host",
		ReasonAdopted:            "an operator gave this route to sealane",
		ReasonResealed:           "the mark is sealed with an older key; it is sealed anew with the present one",
		ReasonRegistryOld:        "the registry is older than the routes: it was restored or replaced; nothing is taken from a host until an operator accepts it",
		ReasonHostGone:           "the cloud no longer knows the instance",
		ReasonHostLeft:           "the host was taken out of service",
		ReasonSubnetReleased:     "the host no longer reports this subnet",
		ReasonForeignRoute:       "a route that is not ours has this destination; remove it, give it to sealane with sealane routes adopt, or choose another subnet",
		ReasonRegistryIncomplete: "not every record in the registry could be read; nothing is deleted until it can",
		ReasonCloudIncomplete:    "the cloud's routes or instances could not all be read; nothing is deleted until they can",
		ReasonDeleteBudget:       "more routes would be deleted than the guard allows; confirm the plan or raise the guard in the configuration",
		ReasonQuota:              "the route table is full; raise its quota",
		ReasonPolicy:             "the policy does not allow this change",
		ReasonNoEvidence:         "nothing proves that this route is no longer needed",
		ReasonInTransition:       "the cloud is still working on this route",
		ReasonCloudError:         "the cloud refused or failed the change",
		ReasonOverlapsClaim:      "another host holds an overlapping subnet; give this host another bip",
		ReasonOutsidePools:       "the subnet is outside every pool; choose a bip inside one or add a pool",
		ReasonOverlapsVSwitch:    "the subnet overlaps a vSwitch of the VPC; choose another bip",
		ReasonReserved:           "the range is reserved and never routed; choose another bip",
		ReasonNoPrefix:           "the subnet is no prefix of IPv4 or IPv6 that can be routed",
		ReasonHostBits:           "the prefix has bits set beyond its mask",
		ReasonInstanceUnknown:    "the cloud does not know this instance",
		ReasonWrongVPC:           "the host is in another VPC than the controller serves",
	}
}

// Text is the sentence for this reason, or the reason itself if it is unknown.
func (r Reason) Text() string {
	if text, ok := Reasons()[r]; ok {
		return text
	}
	return string(r)
}
