package ecs

import (
	"github.com/sealane/sealane/cloud/alisim/call"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// What stands around the instances. Clients ask for it before they come to routes: the
// command line tool for regions when it is configured, Terraform's alicloud_instances for
// roles and disks.

type regions struct {
	call.Body
	Regions struct {
		Region []region `json:"Region"`
	} `json:"Regions"`
}

type region struct {
	RegionID       string `json:"RegionId"`
	RegionEndpoint string `json:"RegionEndpoint"`
	LocalName      string `json:"LocalName"`
	Status         string `json:"Status"`
}

// describeRegions tells of the only region there is here.
func describeRegions(w *world.World, _ *call.Call) (call.Reply, error) {
	id := w.Region
	out := &regions{}
	out.Regions.Region = []region{{id, "ecs." + id + ".aliyuncs.com", id, "available"}}
	return out, nil
}

type instanceRoles struct {
	call.Body
	RegionID            string `json:"RegionId"`
	TotalCount          int    `json:"TotalCount"`
	InstanceRamRoleSets struct {
		InstanceRamRoleSet []instanceRole `json:"InstanceRamRoleSet"`
	} `json:"InstanceRamRoleSets"`
}

type instanceRole struct {
	InstanceID  string `json:"InstanceId"`
	RAMRoleName string `json:"RamRoleName"`
}

// describeInstanceRAMRole lists the asked instances, those without a role too.
func describeInstanceRAMRole(w *world.World, c *call.Call) (call.Reply, error) {
	ids, err := c.Array("InstanceIds")
	if err != nil {
		return nil, err
	}
	var found []instanceRole
	for _, i := range w.Instances {
		if call.Listed(ids, i.ID) && c.Matches("RamRoleName", i.Role) {
			found = append(found, instanceRole{i.ID, i.Role})
		}
	}
	page, n, err := call.NumberedPage(c, found, call.LargestPage)
	if err != nil {
		return nil, err
	}
	out := &instanceRoles{RegionID: w.Region, TotalCount: n.TotalCount}
	out.InstanceRamRoleSets.InstanceRamRoleSet = page
	return out, nil
}

type disks struct {
	call.Body
	call.Numbered
	NextToken string `json:"NextToken"`
	Disks     struct {
		Disk []disk `json:"Disk"`
	} `json:"Disks"`
}

type disk struct {
	DiskID             string               `json:"DiskId"`
	DiskName           string               `json:"DiskName"`
	InstanceID         string               `json:"InstanceId"`
	Device             string               `json:"Device"`
	Type               string               `json:"Type"`
	Category           string               `json:"Category"`
	Size               int                  `json:"Size"` // GiB
	Status             string               `json:"Status"`
	Portable           bool                 `json:"Portable"`
	DeleteWithInstance bool                 `json:"DeleteWithInstance"`
	RegionID           string               `json:"RegionId"`
	ZoneID             string               `json:"ZoneId"`
	CreationTime       string               `json:"CreationTime"`
	Tags               call.TagList[ecsTag] `json:"Tags"`
}

// describeDisks gives each instance its system disk and no other.
func describeDisks(w *world.World, c *call.Call) (call.Reply, error) {
	ids, err := c.Array("DiskIds")
	if err != nil {
		return nil, err
	}
	var owners []*seed.Instance
	for _, i := range w.Instances {
		if c.Matches("InstanceId", i.ID) && c.Matches("ZoneId", w.VSwitch(i.VSwitch).Zone) && asksForSystemDisk(c, ids, i) {
			owners = append(owners, i)
		}
	}
	page, n, next, err := call.EitherPage(c, owners, 100)
	if err != nil {
		return nil, err
	}
	out := &disks{Numbered: n, NextToken: next}
	out.Disks.Disk = world.Mapped(page, func(i *seed.Instance) disk { return systemDisk(w, i) })
	return out, nil
}

// asksForSystemDisk is what is asked of a disk itself.
func asksForSystemDisk(c *call.Call, ids []string, i *seed.Instance) bool {
	all := func(name, value string) bool { return c.Matches(name, value) || c.Matches(name, "all") }
	return call.Listed(ids, "d-"+seed.BareID("i", i.ID)) && all("DiskType", "system") && all("Category", "cloud_essd") && all("Status", "In_use") &&
		c.Matches("Portable", "false") && c.Matches("DeleteWithInstance", "true") && c.Matches("Encrypted", "false") && c.HasTags(nil) &&
		c.AreBlank("ResourceGroupId", "DiskName", "AutoSnapshotPolicyId", "SnapshotId", "KMSKeyId", "LockReason", "Filter")
}

func systemDisk(w *world.World, i *seed.Instance) disk {
	return disk{
		DiskID: "d-" + seed.BareID("i", i.ID), InstanceID: i.ID, Device: "/dev/xvda", Type: "system", Category: "cloud_essd", Size: 40,
		Status: "In_use", DeleteWithInstance: true, RegionID: w.Region, ZoneID: w.VSwitch(i.VSwitch).Zone,
		CreationTime: call.Stamp(w.Born), Tags: ecsTags(nil),
	}
}
