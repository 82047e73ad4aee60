package ec2api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func instanceActions() []action {
	const missing = "InvalidInstanceID.NotFound"
	return []action{
		write("RunInstances", (*call).runInstances, "InvalidAMIID.Malformed", "InvalidSubnetID.NotFound", "InvalidGroup.NotFound", "InvalidKeyPair.NotFound", "InsufficientFreeAddressesInSubnet",
			"InvalidNetworkInterface.InUse", "AttachmentLimitExceeded", "IdempotentParameterMismatch"),
		write("TerminateInstances", (*call).terminate, missing, "OperationNotPermitted"),
		write("StartInstances", (*call).start, missing, "IncorrectInstanceState"),
		write("StopInstances", (*call).stop, missing, "IncorrectInstanceState", "OperationNotPermitted"),
		write("RebootInstances", (*call).reboot, missing, "IncorrectInstanceState"),
		read("DescribeInstances", (*call).describeInstances, missing, "InvalidInstanceID.Malformed", "InvalidPaginationToken"),
		read("DescribeInstanceStatus", (*call).describeStatus, missing, "InvalidPaginationToken"),
		read("DescribeInstanceAttribute", (*call).describeInstanceAttribute, missing),
		write("ModifyInstanceAttribute", (*call).modifyInstance, missing, "IncorrectInstanceState"),
		write("ModifyInstanceMetadataOptions", (*call).modifyMetadata, missing),
		write("ModifyInstanceCreditSpecification", (*call).modifyCredits, missing),
		read("DescribeInstanceCreditSpecifications", (*call).describeCredits, missing),
		write("MonitorInstances", func(c *call) *Error { return c.monitor(true) }, missing),
		write("UnmonitorInstances", func(c *call) *Error { return c.monitor(false) }, missing),
	}
}

func (c *call) instance(id string) (*Instance, *Error) {
	if i := c.s.instances.get(id); i != nil {
		return i, nil
	}
	if !validID("i-", id) {
		return nil, malformed("InvalidInstanceID.Malformed", id)
	}
	return nil, notFound("InvalidInstanceID.NotFound", "instance", id)
}

// instancesOf returns the instances that InstanceId.N names; all has to be there.
func (c *call) instancesOf() ([]*Instance, *Error) {
	var out []*Instance
	for _, id := range c.in.strs("InstanceId") {
		i, err := c.instance(id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
		if len(out) > maxInstancesPerRun {
			return nil, errorf("InvalidParameterValue", "More than %d instances in one call", maxInstancesPerRun)
		}
	}
	return out, nil
}

func stateCode(s InstanceState) int {
	switch s {
	case Pending:
		return 0
	case Running:
		return 16
	case ShuttingDown:
		return 32
	case Terminated:
		return 48
	case Stopping:
		return 64
	}
	return 80
}

func (c *call) writeReservation(list []*Instance, as InstanceState) {
	x := c.x
	x.str("reservationId", list[0].Reservation)
	x.str("ownerId", list[0].OwnerID)
	eachXML(x, "groupSet", []string(nil), func(string) {})
	eachXML(x, "instancesSet", list, func(i *Instance) {
		state := i.State
		if as != "" && state == Running {
			state = as
		}
		c.writeInstance(i, state)
	})
}

func (c *call) writeInstance(i *Instance, state InstanceState) {
	x := c.x
	t := typeInfo(i.Type)
	nics := c.s.interfacesOf(i.ID)
	x.str("instanceId", i.ID)
	x.str("imageId", i.Image)
	x.group("instanceState", func() { x.num("code", stateCode(state)); x.str("name", string(state)) })
	x.str("reason", i.Reason)
	if i.Reason != "" {
		x.group("stateReason", func() {
			x.str("code", "Client.UserInitiatedShutdown")
			x.str("message", "Client.UserInitiatedShutdown: User initiated shutdown")
		})
	}
	x.num("amiLaunchIndex", i.LaunchIndex)
	x.str("instanceType", i.Type)
	x.opt("keyName", i.KeyName)
	x.time("launchTime", i.Launched)
	x.group("placement", func() {
		x.str("availabilityZone", i.Zone)
		x.str("availabilityZoneId", c.s.zoneID(i.Zone))
		x.str("groupName", "")
		x.str("tenancy", i.Tenancy)
	})
	monitoring := "disabled"
	if i.Monitoring {
		monitoring = "enabled"
	}
	x.group("monitoring", func() { x.str("state", monitoring) })
	public := ""
	if len(nics) > 0 && i.State != Terminated {
		p := nics[0]
		x.str("subnetId", i.Subnet)
		x.str("vpcId", i.VPC)
		if len(p.Addrs) > 0 {
			x.str("privateIpAddress", p.Addrs[0].String())
			x.str("privateDnsName", c.s.privateName(p.Addrs[0]))
		}
		if p.PublicIP != "" && i.State == Running {
			public = c.s.publicName(p.PublicIP)
			x.str("ipAddress", p.PublicIP)
		}
		if len(p.IPv6) > 0 {
			x.str("ipv6Address", p.IPv6[0].String())
		}
		x.yes("sourceDestCheck", p.SourceDestCheck)
		c.writeGroups(p.Groups)
	} else {
		x.str("privateDnsName", "")
	}
	x.str("dnsName", public)
	c.writeInstanceHardware(i, t)
	eachXML(x, "networkInterfaceSet", nics, func(e *NetworkInterface) {
		c.writeAddrs(e)
		x.str("status", "in-use")
		a := e.Attachment
		x.group("attachment", func() {
			x.str("attachmentId", a.ID)
			x.num("deviceIndex", a.DeviceIndex)
			x.num("networkCardIndex", a.NetworkCard)
			x.str("status", "attached")
			x.time("attachTime", a.At)
			x.yes("deleteOnTermination", a.DeleteOnTermination)
		})
	})
	c.writeTags(i.Tags)
}

func (c *call) writeInstanceHardware(i *Instance, t *typeData) {
	x := c.x
	x.str("architecture", t.arch)
	x.str("hypervisor", "xen") // also for Nitro. AWS: Instance, hypervisor
	x.str("virtualizationType", "hvm")
	x.str("rootDeviceType", "ebs")
	root := "/dev/xvda"
	if len(i.Devices) > 0 {
		root = i.Devices[0].Name
	}
	x.str("rootDeviceName", root)
	x.yes("ebsOptimized", i.EBSOptimized)
	x.yes("enaSupport", true)
	x.opt("clientToken", i.ClientToken)
	eachXML(x, "blockDeviceMapping", i.Devices, func(d BlockDevice) {
		x.str("deviceName", d.Name)
		x.group("ebs", func() {
			x.str("volumeId", d.VolumeID)
			x.str("status", "attached")
			x.time("attachTime", c.attachedAt(i, d))
			x.yes("deleteOnTermination", d.DeleteOnTermination)
		})
	})
	if i.Profile != "" {
		x.group("iamInstanceProfile", func() { c.writeProfile(i) })
	}
	cores, threads := c.cpus(i, t)
	x.group("cpuOptions", func() { x.num("coreCount", cores); x.num("threadsPerCore", threads) })
	x.group("capacityReservationSpecification", func() { x.str("capacityReservationPreference", cmp.Or(i.Reservations, "open")) })
	x.group("hibernationOptions", func() { x.yes("configured", false) })
	x.group("enclaveOptions", func() { x.yes("enabled", false) })
	x.group("metadataOptions", func() { c.writeMetadata(i) })
	x.group("maintenanceOptions", func() { x.str("autoRecovery", cmp.Or(i.Recovery, "default")) })
	x.group("networkPerformanceOptions", func() { x.str("bandwidthWeighting", cmp.Or(i.Bandwidth, "default")) })
	x.group("privateDnsNameOptions", func() {
		x.str("hostnameType", cmp.Or(i.Hostname, "ip-name"))
		x.yes("enableResourceNameDnsARecord", i.NameA)
		x.yes("enableResourceNameDnsAAAARecord", i.NameAAAA)
	})
	x.str("platformDetails", "Linux/UNIX")
	x.str("usageOperation", "RunInstances")
	x.time("usageOperationUpdateTime", i.Created)
	x.str("currentInstanceBootMode", "uefi")
}

func (c *call) writeProfile(i *Instance) {
	c.x.str("arn", i.Profile)
	c.x.str("id", "AIPA"+strings.ToUpper(i.ID[2:]))
}

func (c *call) cpus(i *Instance, t *typeData) (cores, threads int) {
	threads = 2
	if t.arch == "arm64" || t.vcpus == 1 || strings.HasSuffix(t.family, "7a") {
		threads = 1
	}
	cores = max(1, t.vcpus/threads)
	if i != nil && i.CPUCores > 0 {
		cores = i.CPUCores
	}
	if i != nil && i.CPUThreads > 0 {
		threads = i.CPUThreads
	}
	return cores, threads
}

func (c *call) writeMetadata(i *Instance) {
	c.x.str("state", "applied")
	c.x.str("httpTokens", i.MetadataTokens)
	c.x.num("httpPutResponseHopLimit", i.MetadataHops)
	c.x.str("httpEndpoint", i.MetadataEndpoint)
	c.x.str("httpProtocolIpv6", i.MetadataIPv6)
	c.x.str("instanceMetadataTags", i.MetadataTags)
}

// reap forgets what has been over for long: terminated instances and targets that have
// drained.
func (s *state) reap(now time.Time) {
	for _, i := range s.instances.all() {
		if i.State == Terminated && now.Sub(i.StateAt) > terminatedFor {
			s.instances.del(i.ID)
		}
	}
	for _, g := range s.nats.all() {
		if !g.Deleted.IsZero() && now.Sub(g.Deleted) > terminatedFor {
			s.nats.del(g.ID)
		}
	}
	for _, p := range s.peerings.all() {
		if p.State != "active" && p.State != "pending-acceptance" && now.Sub(p.StateAt) > terminatedFor {
			s.peerings.del(p.ID)
		}
	}
	s.reapTargets(now)
}

func (c *call) describeInstances() *Error {
	if c.in.has("InstanceId") && c.in.has("MaxResults") {
		return errorf("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	list, err := c.pickInstances()
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(i *Instance) uint64 { return i.Seq })
	if err != nil {
		return err
	}
	var groups [][]*Instance
	at := map[string]int{}
	for _, i := range list {
		n, ok := at[i.Reservation]
		if !ok {
			n = len(groups)
			at[i.Reservation] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	eachXML(c.x, "reservationSet", groups, func(g []*Instance) { c.writeReservation(g, "") })
	c.x.opt("nextToken", next)
	return nil
}

// pickInstances are the instances that a describe asks for, without those that have been
// terminated for long.
func (c *call) pickInstances() ([]*Instance, *Error) {
	by := ids{param: "InstanceId", prefix: "i-", notFound: "InvalidInstanceID.NotFound", malform: "InvalidInstanceID.Malformed", what: "instance"}
	list, err := pick(c, c.s.instances, by, c.instanceAttribute)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(i *Instance) bool { return i.State == Terminated && c.now.Sub(i.StateAt) > terminatedFor }), nil
}

func (c *call) instanceAttribute(i *Instance, name string) ([]string, bool) {
	if field, ok := strings.CutPrefix(name, "network-interface."); ok {
		var out []string
		for _, e := range c.s.interfacesOf(i.ID) {
			if v, ok := e.filterTags(field); ok {
				out = append(out, v...)
				continue
			}
			v, ok := c.eniAttribute(e, field)
			if !ok {
				return nil, false
			}
			out = append(out, v...)
		}
		return out, true
	}
	if field, ok := strings.CutPrefix(name, "block-device-mapping."); ok {
		return i.deviceAttribute(field)
	}
	if v, ok := c.primaryAttribute(i, name); ok {
		return v, true
	}
	t := typeInfo(i.Type)
	switch name {
	case "architecture":
		return one(t.arch), true
	case "availability-zone":
		return one(i.Zone), true
	case "availability-zone-id":
		return one(c.s.zoneID(i.Zone)), true
	case "client-token":
		return one(i.ClientToken), true
	case "ebs-optimized":
		return yesno(i.EBSOptimized), true
	case "ena-support":
		return yesno(true), true
	case "hypervisor":
		return one("xen"), true
	case "iam-instance-profile.arn":
		return one(i.Profile), true
	case "image-id":
		return one(i.Image), true
	case "instance-id":
		return one(i.ID), true
	case "instance-state-code":
		return number(stateCode(i.State)), true
	case "instance-state-name":
		return one(string(i.State)), true
	case "instance-type":
		return one(i.Type), true
	case "key-name":
		return one(i.KeyName), true
	case "launch-index":
		return number(i.LaunchIndex), true
	case "launch-time":
		return one(i.Launched.Format("2006-01-02T15:04:05.000Z")), true
	case "metadata-options.http-tokens":
		return one(i.MetadataTokens), true
	case "metadata-options.http-endpoint":
		return one(i.MetadataEndpoint), true
	case "metadata-options.http-put-response-hop-limit":
		return number(i.MetadataHops), true
	case "metadata-options.instance-metadata-tags":
		return one(i.MetadataTags), true
	case "metadata-options.state":
		return one("applied"), true
	case "monitoring-state":
		if i.Monitoring {
			return one("enabled"), true
		}
		return one("disabled"), true
	case "owner-id":
		return one(i.OwnerID), true
	case "platform-details":
		return one("Linux/UNIX"), true
	case "reason":
		return one(i.Reason), true
	case "reservation-id":
		return one(i.Reservation), true
	case "root-device-name":
		if len(i.Devices) == 0 {
			return nil, true
		}
		return one(i.Devices[0].Name), true
	case "root-device-type":
		return one("ebs"), true
	case "subnet-id":
		return one(i.Subnet), true
	case "tenancy":
		return one(i.Tenancy), true
	case "virtualization-type":
		return one("hvm"), true
	case "vpc-id":
		return one(i.VPC), true
	}
	return nil, false
}

// primaryAttribute answers the filters that are about the primary interface.
func (c *call) primaryAttribute(i *Instance, name string) ([]string, bool) {
	field := map[string]string{
		"dns-name": "association.public-dns-name", "instance.group-id": "group-id", "instance.group-name": "group-name", "ip-address": "association.public-ip",
		"ipv6-address": "ipv6-addresses.ipv6-address", "private-dns-name": "private-dns-name", "private-ip-address": "private-ip-address", "source-dest-check": "source-dest-check",
	}[name]
	if field == "" {
		return nil, false
	}
	nics := c.s.interfacesOf(i.ID)
	if len(nics) == 0 {
		return nil, true
	}
	return c.eniAttribute(nics[0], field)
}

func (i *Instance) deviceAttribute(field string) ([]string, bool) {
	var out []string
	for _, d := range i.Devices {
		switch field {
		case "device-name":
			out = append(out, d.Name)
		case "volume-id":
			out = append(out, d.VolumeID)
		case "delete-on-termination":
			out = append(out, strconv.FormatBool(d.DeleteOnTermination))
		case "status":
			out = append(out, "attached")
		case "attach-time":
			out = append(out, i.Created.Format("2006-01-02T15:04:05.000Z"))
		default:
			return nil, false
		}
	}
	return out, true
}

// change is what one call did to the state of an instance.
type change struct {
	id           string
	before, told InstanceState
}

func (c *call) writeChanges(list []change) {
	eachXML(c.x, "instancesSet", list, func(ch change) {
		c.x.str("instanceId", ch.id)
		c.x.group("currentState", func() { c.x.num("code", stateCode(ch.told)); c.x.str("name", string(ch.told)) })
		c.x.group("previousState", func() { c.x.num("code", stateCode(ch.before)); c.x.str("name", string(ch.before)) })
	})
}

func (c *call) setState(old *Instance, s InstanceState, reason string) {
	i := *old
	i.State, i.StateAt, i.Reason = s, c.stamp(), reason
	if s == Running {
		i.Launched = c.stamp()
	}
	c.s.instances.put(&i)
}

func (c *call) terminate() *Error {
	list, err := c.instancesOf()
	if err != nil {
		return err
	}
	for _, i := range list {
		if i.APITermination {
			return errorf("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", i.ID)
		}
	}
	var out []change
	for _, i := range list {
		if i.State == Terminated {
			out = append(out, change{i.ID, Terminated, Terminated})
			continue
		}
		out = append(out, change{i.ID, i.State, ShuttingDown})
		c.terminateOne(i)
	}
	c.heal(list)
	c.writeChanges(out)
	return nil
}

// terminateOne ends an instance that is not ended, with what goes with it.
func (c *call) terminateOne(i *Instance) {
	c.stateChanged(i.ID, ShuttingDown, Terminated)
	for _, e := range c.s.interfacesOf(i.ID) {
		if e.Attachment.DeleteOnTermination {
			c.s.delENI(e.ID)
			continue
		}
		n := *e
		n.Attachment = nil
		if n.Allocation == "" {
			n.PublicIP = ""
		}
		c.s.putENI(&n)
	}
	for _, d := range i.Devices {
		if v := c.s.volumes.get(d.VolumeID); v != nil && d.DeleteOnTermination {
			c.s.volumes.del(v.ID)
		} else if v != nil {
			n := *v
			n.InstanceID, n.Device = "", ""
			c.s.volumes.put(&n)
		}
	}
	gone := *i
	gone.Devices = nil
	c.setState(&gone, Terminated, "User initiated ("+c.now.UTC().Format("2006-01-02 15:04:05 GMT")+")")
}

func (c *call) start() *Error {
	list, err := c.instancesOf()
	if err != nil {
		return err
	}
	var out []change
	for _, i := range list {
		switch i.State {
		case Terminated:
			return errorf("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be started.", i.ID)
		case Running:
			out = append(out, change{i.ID, Running, Running})
			continue
		}
		out = append(out, change{i.ID, i.State, Pending})
		c.stateChanged(i.ID, Pending, Running)
		c.setState(i, Running, "")
	}
	c.writeChanges(out)
	return nil
}

func (c *call) stop() *Error {
	list, err := c.instancesOf()
	if err != nil {
		return err
	}
	var out []change
	for _, i := range list {
		switch {
		case i.State == Terminated:
			return errorf("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be stopped.", i.ID)
		case i.APIStop:
			return errorf("OperationNotPermitted", "The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", i.ID)
		case i.State == Stopped:
			out = append(out, change{i.ID, Stopped, Stopped})
			continue
		}
		out = append(out, change{i.ID, i.State, Stopping})
		c.stateChanged(i.ID, Stopping, Stopped)
		c.setState(i, Stopped, "User initiated ("+c.now.UTC().Format("2006-01-02 15:04:05 GMT")+")")
	}
	c.writeChanges(out)
	return nil
}

func (c *call) reboot() *Error {
	list, err := c.instancesOf()
	if err != nil {
		return err
	}
	for _, i := range list {
		if i.State == Terminated {
			return errorf("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be rebooted.", i.ID)
		}
	}
	c.x.yes("return", true)
	return nil
}

func (c *call) describeStatus() *Error {
	if c.in.has("InstanceId") && c.in.has("MaxResults") {
		return errorf("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	by := ids{param: "InstanceId", prefix: "i-", notFound: "InvalidInstanceID.NotFound", malform: "InvalidInstanceID.Malformed", what: "instance"}
	list, err := pick(c, c.s.instances, by, func(i *Instance, name string) ([]string, bool) {
		switch name {
		case "instance-status.status", "system-status.status":
			return one(i.health("ok", "not-applicable")), true
		case "instance-status.reachability", "system-status.reachability":
			return one(i.health("passed", "")), true
		}
		return c.instanceAttribute(i, name)
	})
	if err != nil {
		return err
	}
	if !c.in.yes("IncludeAllInstances") {
		list = slices.DeleteFunc(slices.Clone(list), func(i *Instance) bool { return i.State != Running })
	}
	list, next, err := page(c, list, func(i *Instance) uint64 { return i.Seq })
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "instanceStatusSet", list, func(i *Instance) {
		x.str("instanceId", i.ID)
		x.str("availabilityZone", i.Zone)
		x.str("availabilityZoneId", c.s.zoneID(i.Zone))
		x.group("instanceState", func() { x.num("code", stateCode(i.State)); x.str("name", string(i.State)) })
		for _, kind := range []string{"systemStatus", "instanceStatus"} {
			x.group(kind, func() {
				x.str("status", i.health("ok", "not-applicable"))
				if i.State == Running {
					x.group("details", func() {
						x.group("item", func() { x.str("name", "reachability"); x.str("status", "passed") })
					})
				}
			})
		}
	})
	x.opt("nextToken", next)
	return nil
}

func (i *Instance) health(up, down string) string {
	if i.State == Running {
		return up
	}
	return down
}
