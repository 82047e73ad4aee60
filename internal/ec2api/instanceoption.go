package ec2api

import (
	"cmp"
	"strings"
	"time"
)

// instanceOptionActions change what a machine would have, and show what it would print.
func instanceOptionActions() []action {
	const missing = "InvalidInstanceID.NotFound"
	return []action{
		write("ModifyInstanceMaintenanceOptions", (*call).modifyMaintenance, missing),
		write("ModifyInstanceCapacityReservationAttributes", (*call).modifyReservations, missing, "IncorrectInstanceState"),
		write("ModifyInstanceCpuOptions", (*call).modifyCPU, missing, "IncorrectInstanceState"),
		write("ModifyInstancePlacement", (*call).modifyPlacement, missing, "IncorrectInstanceState"),
		write("ModifyInstanceNetworkPerformanceOptions", (*call).modifyBandwidth, missing, "IncorrectInstanceState"),
		write("ModifyPrivateDnsNameOptions", (*call).modifyPrivateName, missing, "IncorrectInstanceState"),
		write("AssociateIamInstanceProfile", (*call).associateProfile, missing, "IncorrectState"),
		write("ReplaceIamInstanceProfileAssociation", (*call).replaceProfile, "NoSuchAssociation"),
		write("DisassociateIamInstanceProfile", (*call).disassociateProfile, "NoSuchAssociation"),
		read("DescribeIamInstanceProfileAssociations", (*call).describeProfiles, "InvalidPaginationToken"),
		read("GetPasswordData", func(c *call) *Error { return c.printed("passwordData") }, missing),
		read("GetConsoleOutput", func(c *call) *Error { return c.printed("output") }, missing),
		read("GetDefaultCreditSpecification", (*call).defaultCredits),
		read("GetInstanceMetadataDefaults", func(c *call) *Error {
			c.x.group("accountLevel", func() { c.x.str("managedBy", "account") })
			return nil
		}),
	}
}

// changeInstance changes the instance that the call names: f gets a copy of it.
func (c *call) changeInstance(stopped bool, f func(i *Instance) *Error) *Error {
	old, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	i := *old
	switch {
	case i.State == Terminated:
		return errorf("IncorrectInstanceState", "The instance '%s' is terminated.", i.ID)
	case stopped && i.State != Stopped:
		return errorf("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", i.ID)
	}
	if err := f(&i); err != nil {
		return err
	}
	c.s.instances.put(&i)
	return nil
}

func (c *call) modifyMaintenance() *Error {
	return c.changeInstance(false, func(i *Instance) *Error {
		i.Recovery = c.in.or("AutoRecovery", i.Recovery)
		c.x.str("instanceId", i.ID)
		c.x.str("autoRecovery", cmp.Or(i.Recovery, "default"))
		c.x.opt("rebootMigration", c.in.str("RebootMigration"))
		return nil
	})
}

func (c *call) modifyReservations() *Error {
	return c.changeInstance(true, func(i *Instance) *Error {
		i.Reservations = c.in.or("CapacityReservationSpecification.CapacityReservationPreference", i.Reservations)
		c.x.yes("return", true)
		return nil
	})
}

func (c *call) modifyCPU() *Error {
	return c.changeInstance(true, func(i *Instance) *Error {
		most, _ := c.cpus(nil, typeInfo(i.Type))
		cores, threads := c.cpus(i, typeInfo(i.Type))
		cores, threads = c.in.num("CoreCount", cores), c.in.num("ThreadsPerCore", threads)
		if cores < 1 || cores > most || threads < 1 || threads > 2 {
			return errorf("InvalidParameterValue", "The instance type %s has 1 to %d cores with 1 or 2 threads", i.Type, most)
		}
		i.CPUCores, i.CPUThreads = cores, threads
		c.x.str("instanceId", i.ID)
		c.x.num("coreCount", cores)
		c.x.num("threadsPerCore", threads)
		return nil
	})
}

func (c *call) modifyPlacement() *Error {
	return c.changeInstance(true, func(i *Instance) *Error {
		if name := c.in.str("GroupName"); name != "" {
			return notFound("InvalidPlacementGroup.Unknown", "placement group", name)
		}
		i.Tenancy = c.in.or("Tenancy", i.Tenancy)
		c.x.yes("return", true)
		return nil
	})
}

func (c *call) modifyBandwidth() *Error {
	return c.changeInstance(true, func(i *Instance) *Error {
		i.Bandwidth = c.in.str("BandwidthWeighting")
		c.x.str("instanceId", i.ID)
		c.x.str("bandwidthWeighting", i.Bandwidth)
		return nil
	})
}

func (c *call) modifyPrivateName() *Error {
	kind := c.in.str("PrivateDnsHostnameType")
	return c.changeInstance(kind != "", func(i *Instance) *Error {
		i.Hostname = cmp.Or(kind, i.Hostname)
		i.NameA, i.NameAAAA = c.in.yesOr("EnableResourceNameDnsARecord", i.NameA), c.in.yesOr("EnableResourceNameDnsAAAARecord", i.NameAAAA)
		c.x.yes("return", true)
		return nil
	})
}

// printed answers what a machine would have printed, or its password: there is none, as
// of one that has just begun.
func (c *call) printed(name string) *Error {
	i, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	c.x.str("instanceId", i.ID)
	c.x.time("timestamp", i.StateAt)
	c.x.str(name, "")
	return nil
}

func (c *call) defaultCredits() *Error {
	family, credits := c.in.str("InstanceFamily"), "unlimited"
	if family == "t2" {
		credits = "standard"
	}
	c.x.group("instanceFamilyCreditSpecification", func() {
		c.x.str("instanceFamily", family)
		c.x.str("cpuCredits", credits)
	})
	return nil
}

// profileARN is the instance profile that a parameter describes: any name is one.
func (c *call) profileARN(n *node) string {
	if name := n.str("Name"); name != "" {
		return "arn:aws:iam::" + c.s.meta.AccountID + ":instance-profile/" + name
	}
	return n.str("Arn")
}

// profileAssociation is another one for another profile.
func (i *Instance) profileAssociation() string { return nameID("iip-assoc-", i.ID+" "+i.Profile) }

func (c *call) writeProfileAssociation(i *Instance, state string) {
	c.x.str("associationId", i.profileAssociation())
	c.x.str("instanceId", i.ID)
	c.x.group("iamInstanceProfile", func() { c.writeProfile(i) })
	c.x.str("state", state)
	c.x.time("timestamp", i.Created.Truncate(time.Second))
}

func (c *call) setProfile(i *Instance) *Error {
	profile := c.profileARN(c.in.get("IamInstanceProfile"))
	if profile == "" || !strings.Contains(profile, ":instance-profile/") {
		return errorf("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", clip(profile))
	}
	i.Profile = profile
	c.x.group("iamInstanceProfileAssociation", func() { c.writeProfileAssociation(i, "associating") })
	return nil
}

func (c *call) associateProfile() *Error {
	return c.changeInstance(false, func(i *Instance) *Error {
		if i.Profile != "" {
			return errorf("IncorrectState", "There is an existing association for instance %s", i.ID)
		}
		return c.setProfile(i)
	})
}

// associated is a copy of the instance that AssociationId is about.
func (c *call) associated() (*Instance, *Error) {
	id := c.in.str("AssociationId")
	for _, i := range c.s.instances.all() {
		if i.Profile != "" && i.State != Terminated && i.profileAssociation() == id {
			n := *i
			return &n, nil
		}
	}
	return nil, errorf("NoSuchAssociation", "An invalid association-id of '%s' was given", clip(id))
}

func (c *call) replaceProfile() *Error {
	i, err := c.associated()
	if err == nil {
		err = c.setProfile(i)
	}
	if err != nil {
		return err
	}
	c.s.instances.put(i)
	return nil
}

func (c *call) disassociateProfile() *Error {
	i, err := c.associated()
	if err != nil {
		return err
	}
	c.x.group("iamInstanceProfileAssociation", func() { c.writeProfileAssociation(i, "disassociating") })
	i.Profile = ""
	c.s.instances.put(i)
	return nil
}

func (c *call) describeProfiles() *Error {
	var list []*Instance
	for _, i := range c.s.instances.all() {
		if i.Profile != "" && i.State != Terminated {
			list = append(list, i)
		}
	}
	want := c.in.strs("AssociationId")
	list, err := filter(c, list, func(i *Instance, name string) ([]string, bool) {
		switch name {
		case "instance-id":
			return one(i.ID), true
		case "state":
			return one("associated"), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	c.x.open("iamInstanceProfileAssociationSet")
	for _, i := range list {
		found := len(want) == 0
		for _, id := range want {
			found = found || id == i.profileAssociation()
		}
		if !found {
			continue
		}
		c.x.group("item", func() { c.writeProfileAssociation(i, "associated") })
	}
	c.x.close("iamInstanceProfileAssociationSet")
	return nil
}
