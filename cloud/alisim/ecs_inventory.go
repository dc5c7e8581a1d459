package alisim

// What stands around the instances. Clients ask for it before they come to routes: the
// command line tool for regions when it is configured, Terraform's alicloud_instances for
// roles and disks.

type regions struct {
	body
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
func describeRegions(w *world, _ *call) (reply, error) {
	id := w.region
	out := &regions{}
	out.Regions.Region = []region{{id, "ecs." + id + ".aliyuncs.com", id, "available"}}
	return out, nil
}

type instanceRoles struct {
	body
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
func describeInstanceRAMRole(w *world, c *call) (reply, error) {
	ids, err := c.array("InstanceIds")
	if err != nil {
		return nil, err
	}
	var found []instanceRole
	for _, i := range w.instances {
		if listed(ids, i.ID) && c.matches("RamRoleName", i.Role) {
			found = append(found, instanceRole{i.ID, i.Role})
		}
	}
	page, n, err := pageOf(c, found, vpcPage)
	if err != nil {
		return nil, err
	}
	out := &instanceRoles{RegionID: w.region, TotalCount: n.TotalCount}
	out.InstanceRamRoleSets.InstanceRamRoleSet = page
	return out, nil
}

type disks struct {
	body
	numbered
	NextToken string `json:"NextToken"`
	Disks     struct {
		Disk []disk `json:"Disk"`
	} `json:"Disks"`
}

type disk struct {
	DiskID             string          `json:"DiskId"`
	DiskName           string          `json:"DiskName"`
	InstanceID         string          `json:"InstanceId"`
	Device             string          `json:"Device"`
	Type               string          `json:"Type"`
	Category           string          `json:"Category"`
	Size               int             `json:"Size"` // GiB
	Status             string          `json:"Status"`
	Portable           bool            `json:"Portable"`
	DeleteWithInstance bool            `json:"DeleteWithInstance"`
	RegionID           string          `json:"RegionId"`
	ZoneID             string          `json:"ZoneId"`
	CreationTime       string          `json:"CreationTime"`
	Tags               tagList[ecsTag] `json:"Tags"`
}

// describeDisks gives each instance its system disk and no other.
func describeDisks(w *world, c *call) (reply, error) {
	ids, err := c.array("DiskIds")
	if err != nil {
		return nil, err
	}
	var owners []*Instance
	for _, i := range w.instances {
		if c.matches("InstanceId", i.ID) && c.matches("ZoneId", w.vswitch(i.VSwitch).Zone) && asksForSystemDisk(c, ids, i) {
			owners = append(owners, i)
		}
	}
	page, n, next, err := pageEither(c, owners, 100)
	if err != nil {
		return nil, err
	}
	out := &disks{numbered: n, NextToken: next}
	out.Disks.Disk = mapped(page, func(i *Instance) disk { return systemDisk(w, i) })
	return out, nil
}

// asksForSystemDisk is what is asked of a disk itself.
func asksForSystemDisk(c *call, ids []string, i *Instance) bool {
	all := func(name, value string) bool { return c.matches(name, value) || c.matches(name, "all") }
	return listed(ids, "d-"+bare("i", i.ID)) && all("DiskType", "system") && all("Category", "cloud_essd") && all("Status", "In_use") &&
		c.matches("Portable", "false") && c.matches("DeleteWithInstance", "true") && c.matches("Encrypted", "false") && c.tagged(nil) &&
		c.blank("ResourceGroupId", "DiskName", "AutoSnapshotPolicyId", "SnapshotId", "KMSKeyId", "LockReason", "Filter")
}

func systemDisk(w *world, i *Instance) disk {
	return disk{
		DiskID: "d-" + bare("i", i.ID), InstanceID: i.ID, Device: "/dev/xvda", Type: "system", Category: "cloud_essd", Size: 40,
		Status: "In_use", DeleteWithInstance: true, RegionID: w.region, ZoneID: w.vswitch(i.VSwitch).Zone,
		CreationTime: stamp(w.born), Tags: ecsTags(nil),
	}
}
