package ec2api

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/mirror"
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

// launch is what RunInstances asks for, checked.
type launch struct {
	n        int
	typ      *typeData
	image    *image
	subnet   *Subnet
	nics     []*node // of NetworkInterface.N; empty: one from the top-level parameters
	tags     []mirror.Tag
	eniTags  []mirror.Tag
	volTags  []mirror.Tag
	profile  string
	userData string
}

func (c *call) runInstances() *Error {
	digest := c.in.digest("ClientToken", "DryRun")
	made, err := c.s.findToken(c.act.name, c.in.str("ClientToken"), digest)
	if err != nil {
		return err
	}
	if len(made) > 0 {
		var list []*Instance
		for _, id := range made {
			if i := c.s.instances.get(id); i != nil {
				list = append(list, i)
			}
		}
		if len(list) == 0 {
			return errorf("IdempotentInstanceTerminated", "The request to launch an instance was already made and the instance is terminated")
		}
		c.writeReservation(list, Pending)
		return nil
	}
	l, err := c.launch()
	if err != nil {
		return err
	}
	reservation := c.s.newID("r-")
	var list []*Instance
	var made2 []string
	for index := range l.n {
		i, err := c.launchOne(l, reservation, index)
		if err != nil {
			return err
		}
		list, made2 = append(list, i), append(made2, i.ID)
	}
	c.s.keepToken(c.act.name, c.in.str("ClientToken"), digest, made2...)
	c.writeReservation(list, Pending)
	return nil
}

// launch reads the parameters of RunInstances.
func (c *call) launch() (*launch, *Error) {
	in := c.in
	l := &launch{n: in.num("MaxCount", 1), nics: in.list("NetworkInterface"), userData: in.str("UserData")}
	least := in.num("MinCount", 1)
	switch {
	case least < 1 || l.n < least:
		return nil, errorf("InvalidParameterValue", "Value ( %d ) for parameter minCount is invalid. Minimum must be greater than zero and not greater than maximum.", least)
	case l.n > maxInstancesPerRun:
		return nil, errorf("InstanceLimitExceeded", "You have requested more instances (%d) than one call can start (%d)", l.n, maxInstancesPerRun)
	case c.s.instances.count()+l.n > maxResources:
		return nil, errorf("InstanceLimitExceeded", "The account has too many instances")
	case in.has("LaunchTemplate"):
		return nil, errorf("InvalidParameterValue", "Launch templates are not supported by this endpoint")
	case in.str("ImageId") == "":
		return nil, errorf("MissingParameter", "The request must contain the parameter ImageId")
	}
	var err *Error
	if l.image, err = imageByID(c.s, in.str("ImageId")); err != nil {
		return nil, err
	}
	name := in.or("InstanceType", "m1.small")
	if !in.has("InstanceType") {
		name = "t3.micro"
	}
	if l.typ = types()[name]; l.typ == nil {
		return nil, errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", clip(name))
	}
	if l.image.known && l.image.arch != l.typ.arch {
		return nil, errorf("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.", l.typ.arch, l.image.arch)
	}
	if _, bad := base64.StdEncoding.DecodeString(l.userData); bad != nil {
		return nil, errorf("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
	}
	if len(l.userData) > 22_000 {
		return nil, errorf("InvalidParameterValue", "User data is limited to 16384 bytes")
	}
	if k := in.str("KeyName"); k != "" && c.keyByName(k) == nil {
		return nil, errorf("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", clip(k))
	}
	l.profile = in.str("IamInstanceProfile.Arn")
	if n := in.str("IamInstanceProfile.Name"); n != "" {
		l.profile = "arn:aws:iam::" + c.s.meta.AccountID + ":instance-profile/" + n
	}
	if err := c.launchTags(l); err != nil {
		return nil, err
	}
	return l, c.launchSubnet(l)
}

func (c *call) launchTags(l *launch) (err *Error) {
	kinds := []string{"instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"}
	if l.tags, err = c.specTags("instance", kinds...); err != nil {
		return err
	}
	if l.volTags, err = c.specTags("volume", kinds...); err != nil {
		return err
	}
	l.eniTags, err = c.specTags("network-interface", kinds...)
	return err
}

// launchSubnet finds the subnet of the primary interface: named at the top, at the
// interface, by an interface that exists, or the default one of a zone.
func (c *call) launchSubnet(l *launch) (err *Error) {
	in := c.in
	if len(l.nics) > 0 {
		for _, p := range []string{"SubnetId", "SecurityGroupId", "SecurityGroup", "PrivateIpAddress"} {
			if in.has(p) {
				return errorf("InvalidParameterCombination", "Network interfaces and an instance-level %s may not be specified on the same request", map[bool]string{true: "subnet ID", false: "security groups"}[p == "SubnetId"])
			}
		}
		primary := false
		for _, n := range l.nics {
			if !n.has("DeviceIndex") {
				return errorf("MissingParameter", "The request must contain the parameter NetworkInterface.DeviceIndex")
			}
			if n.num("DeviceIndex", 0) != 0 || n.num("NetworkCardIndex", 0) != 0 {
				continue
			}
			primary = true
			if id := n.str("NetworkInterfaceId"); id != "" {
				e, err := c.eni(id)
				if err != nil {
					return err
				}
				l.subnet, err = c.subnet(e.Subnet)
				if err != nil {
					return err
				}
			} else if id := n.str("SubnetId"); id != "" {
				if l.subnet, err = c.subnet(id); err != nil {
					return err
				}
			}
		}
		if !primary {
			return errorf("InvalidParameterValue", "A network interface with device index 0 is needed")
		}
	} else if id := in.str("SubnetId"); id != "" {
		if l.subnet, err = c.subnet(id); err != nil {
			return err
		}
	}
	if l.subnet != nil {
		return nil
	}
	v := c.s.defaultVPC()
	want := in.str("Placement.AvailabilityZone")
	for _, s := range c.s.subnets.all() {
		if v != nil && s.VPC == v.ID && s.DefaultForAZ && (want == "" || s.Zone == want) {
			l.subnet = s
			return nil
		}
	}
	if v == nil {
		return errorf("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
	}
	return errorf("InvalidParameterValue", "Invalid availability zone: [%s]", clip(want))
}

// launchOne makes one instance with its volumes and interfaces.
func (c *call) launchOne(l *launch, reservation string, index int) (*Instance, *Error) {
	in := c.in
	i := &Instance{
		Resource: c.s.res(c.s.newID("i-"), c.now, l.tags), Reservation: reservation, LaunchIndex: index, Image: l.image.id, Type: l.typ.name,
		KeyName: in.str("KeyName"), VPC: l.subnet.VPC, Subnet: l.subnet.ID, Zone: l.subnet.Zone, State: Running, StateAt: c.stamp(), Launched: c.stamp(),
		Monitoring: in.yes("Monitoring.Enabled"), Tenancy: in.or("Placement.Tenancy", "default"), EBSOptimized: in.yes("EbsOptimized"),
		APITermination: in.yes("DisableApiTermination"), APIStop: in.yes("DisableApiStop"), Shutdown: in.or("InstanceInitiatedShutdownBehavior", "stop"),
		UserData: l.userData, Profile: l.profile, ClientToken: in.str("ClientToken"), Credits: in.str("CreditSpecification.CpuCredits"),
		MetadataTokens: in.or("MetadataOptions.HttpTokens", "required"), MetadataEndpoint: in.or("MetadataOptions.HttpEndpoint", "enabled"),
		MetadataHops: in.num("MetadataOptions.HttpPutResponseHopLimit", 2), MetadataIPv6: in.or("MetadataOptions.HttpProtocolIpv6", "disabled"),
		MetadataTags: in.or("MetadataOptions.InstanceMetadataTags", "disabled"), CPUCores: in.num("CpuOptions.CoreCount", 0), CPUThreads: in.num("CpuOptions.ThreadsPerCore", 0),
		Recovery: in.or("MaintenanceOptions.AutoRecovery", "default"),
	}
	if l.typ.burst && i.Credits == "" {
		i.Credits = "unlimited"
		if l.typ.family == "t2" {
			i.Credits = "standard"
		}
	}
	c.launchVolumes(l, i)
	nics := l.nics
	if len(nics) == 0 {
		nics = []*node{nil}
	}
	if len(nics) > l.typ.enis {
		return nil, errorf("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", len(nics), l.typ.name)
	}
	taken := map[[2]int]bool{}
	for _, n := range nics {
		slot := [2]int{n.num("NetworkCardIndex", 0), n.num("DeviceIndex", 0)}
		if taken[slot] || slot[0] < 0 || slot[0] >= l.typ.cards || slot[1] < 0 {
			return nil, errorf("InvalidParameterValue", "Each network interface requires a unique device index.")
		}
		taken[slot] = true
		if err := c.launchENI(l, i, n, slot); err != nil {
			return nil, err
		}
	}
	c.s.instances.put(i)
	return i, nil
}

func (c *call) launchVolumes(l *launch, i *Instance) {
	type disk struct {
		name string
		n    *node
	}
	disks := []disk{{name: l.image.root}}
	for _, n := range c.in.list("BlockDeviceMapping") {
		name := n.str("DeviceName")
		if n.has("NoDevice") || !n.has("Ebs") && name != l.image.root {
			continue
		}
		if name == l.image.root {
			disks[0].n = n.get("Ebs")
		} else if len(disks) < 28 { // what an instance can have attached
			disks = append(disks, disk{name, n.get("Ebs")})
		}
	}
	for _, d := range disks {
		v := &Volume{
			Resource: c.s.res(c.s.newID("vol-"), c.now, l.volTags), Zone: i.Zone, Size: max(1, d.n.num("VolumeSize", 8)), Type: d.n.or("VolumeType", "gp3"),
			IOPS: d.n.num("Iops", 0), Throughput: d.n.num("Throughput", 0), Encrypted: d.n.yes("Encrypted"), KMSKey: d.n.str("KmsKeyId"),
			Snapshot: d.n.str("SnapshotId"), InstanceID: i.ID, Device: d.name,
		}
		if v.Type == "gp3" {
			v.IOPS, v.Throughput = cmp.Or(v.IOPS, 3000), cmp.Or(v.Throughput, 125)
		}
		if d.name == l.image.root && v.Snapshot == "" {
			v.Snapshot = l.image.snapshot
		}
		c.s.volumes.put(v)
		i.Devices = append(i.Devices, BlockDevice{Name: d.name, VolumeID: v.ID, DeleteOnTermination: d.n.yesOr("DeleteOnTermination", true)})
	}
}

// launchENI makes or takes one interface of a new instance. n is nil for the one that the
// top-level parameters describe.
func (c *call) launchENI(l *launch, i *Instance, n *node, slot [2]int) *Error {
	at := &Attachment{ID: c.s.newID("eni-attach-"), InstanceID: i.ID, InstanceOwner: i.OwnerID, DeviceIndex: slot[1], NetworkCard: slot[0], At: c.stamp(), DeleteOnTermination: true}
	if id := n.str("NetworkInterfaceId"); id != "" {
		old, err := c.eni(id)
		if err != nil {
			return err
		}
		switch {
		case l.n > 1:
			return errorf("InvalidParameterCombination", "A network interface can only be given when one instance is launched")
		case old.Attachment != nil || old.ManagedBy != "":
			return errorf("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", id)
		case old.Zone != i.Zone:
			return errorf("InvalidParameterCombination", "The network interface %s is in another availability zone", id)
		}
		e := *old
		at.DeleteOnTermination = n.yes("DeleteOnTermination")
		e.Attachment = at
		c.s.putENI(&e)
		return nil
	}
	sub := l.subnet
	if id := n.str("SubnetId"); id != "" && id != sub.ID {
		var err *Error
		if sub, err = c.subnet(id); err != nil {
			return err
		}
		if sub.Zone != i.Zone {
			return errorf("InvalidParameterCombination", "All network interfaces of an instance must be in the same availability zone")
		}
	}
	public := n.yesOr("AssociatePublicIpAddress", sub.MapPublicIP && slot[1] == 0)
	if n == nil {
		groups, err := c.topGroups(sub.VPC)
		if err != nil {
			return err
		}
		n = c.topInterface(groups)
	}
	e, err := c.eniSpec(n, sub)
	if err != nil {
		return err
	}
	at.DeleteOnTermination = n.yesOr("DeleteOnTermination", true)
	e.Attachment, e.Tags = at, l.eniTags
	if public {
		e.PublicIP = c.s.publicIP()
	}
	c.s.putENI(e)
	return nil
}

// topGroups are the groups at the top of RunInstances, by id or by name.
func (c *call) topGroups(vpc string) ([]string, *Error) {
	groups := slices.Clone(c.in.strs("SecurityGroupId"))
	for _, name := range c.in.strs("SecurityGroup") {
		found := false
		for _, g := range c.s.groups.all() {
			if g.VPC == vpc && g.Name == name {
				groups, found = append(groups, g.ID), true
			}
		}
		if !found {
			return nil, errorf("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", clip(name), vpc)
		}
	}
	return groups, nil
}

// topInterface gives the parameters at the top of RunInstances the form of an interface.
func (c *call) topInterface(groups []string) *node {
	text := &shape{kind: kindString}
	n := &node{kids: map[string]*node{}}
	list := &node{items: map[int]*node{}}
	for i, g := range groups {
		list.items[i+1] = &node{shape: text, text: g}
	}
	n.kids["SecurityGroupId"] = list
	for _, name := range []string{"PrivateIpAddress", "Ipv6AddressCount"} {
		if v := c.in.get(name); v != nil {
			n.kids[name] = v
		}
	}
	if v := c.in.get("Ipv6Address"); v != nil {
		n.kids["Ipv6Addresses"] = v
	}
	return n
}

// publicIP makes up a public address, of the range for tests of networks (RFC 2544).
func (s *state) publicIP() string {
	var b [3]byte
	s.rand(b[:])
	return netip.AddrFrom4([4]byte{198, 18 | b[0]&1, b[1], b[2]}).String()
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
			x.time("attachTime", i.Created)
			x.yes("deleteOnTermination", d.DeleteOnTermination)
		})
	})
	if i.Profile != "" {
		x.group("iamInstanceProfile", func() { x.str("arn", i.Profile); x.str("id", "AIPA"+strings.ToUpper(i.ID[2:])) })
	}
	cores, threads := c.cpus(i, t)
	x.group("cpuOptions", func() { x.num("coreCount", cores); x.num("threadsPerCore", threads) })
	x.group("capacityReservationSpecification", func() { x.str("capacityReservationPreference", "open") })
	x.group("hibernationOptions", func() { x.yes("configured", false) })
	x.group("enclaveOptions", func() { x.yes("enabled", false) })
	x.group("metadataOptions", func() { c.writeMetadata(i) })
	x.group("maintenanceOptions", func() { x.str("autoRecovery", cmp.Or(i.Recovery, "default")) })
	x.group("privateDnsNameOptions", func() {
		x.str("hostnameType", "ip-name")
		x.yes("enableResourceNameDnsARecord", false)
		x.yes("enableResourceNameDnsAAAARecord", false)
	})
	x.str("platformDetails", "Linux/UNIX")
	x.str("usageOperation", "RunInstances")
	x.time("usageOperationUpdateTime", i.Created)
	x.str("currentInstanceBootMode", "uefi")
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
		for _, e := range c.s.interfacesOf(i.ID) {
			if e.Attachment.DeleteOnTermination {
				c.s.delENI(e.ID)
				continue
			}
			n := *e
			n.Attachment, n.PublicIP = nil, ""
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
	c.writeChanges(out)
	return nil
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

func (c *call) describeInstanceAttribute() *Error {
	i, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	x := c.x
	x.str("instanceId", i.ID)
	text := func(name, v string) { x.group(name, func() { x.opt("value", v) }) }
	flag := func(name string, v bool) { x.group(name, func() { x.yes("value", v) }) }
	switch name := c.in.str("Attribute"); name {
	case "instanceType":
		text(name, i.Type)
	case "kernel", "ramdisk", "sriovNetSupport":
		text(name, "")
	case "userData":
		text(name, i.UserData)
	case "disableApiTermination":
		flag(name, i.APITermination)
	case "disableApiStop":
		flag(name, i.APIStop)
	case "instanceInitiatedShutdownBehavior":
		text(name, i.Shutdown)
	case "rootDeviceName":
		root := ""
		if len(i.Devices) > 0 {
			root = i.Devices[0].Name
		}
		text(name, root)
	case "blockDeviceMapping":
		eachXML(x, name, i.Devices, func(d BlockDevice) {
			x.str("deviceName", d.Name)
			x.group("ebs", func() {
				x.str("volumeId", d.VolumeID)
				x.str("status", "attached")
				x.time("attachTime", i.Created)
				x.yes("deleteOnTermination", d.DeleteOnTermination)
			})
		})
	case "productCodes":
		eachXML(x, name, []string(nil), func(string) {})
	case "sourceDestCheck", "groupSet":
		nics := c.s.interfacesOf(i.ID)
		if len(nics) > 0 && name == "groupSet" {
			c.writeGroups(nics[0].Groups)
		} else if len(nics) > 0 {
			flag(name, nics[0].SourceDestCheck)
		}
	case "ebsOptimized":
		flag(name, i.EBSOptimized)
	case "enaSupport":
		flag(name, true)
	case "enclaveOptions":
		x.group(name, func() { x.yes("enabled", false) })
	}
	return nil
}

func (c *call) modifyInstance() *Error {
	old, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	i := *old
	if name := c.in.str("Attribute"); name != "" && c.in.has("Value") {
		// The old form: the attribute by name, its value as text.
		return c.setInstance(&i, upperFirst(name), c.in.str("Value"))
	}
	set := 0
	for _, name := range []string{"DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnaSupport", "InstanceInitiatedShutdownBehavior", "InstanceType", "Kernel", "Ramdisk", "SourceDestCheck", "SriovNetSupport", "UserData"} {
		if c.in.has(name) {
			if set++; set > 1 {
				break
			}
			if err := c.setInstance(&i, name, c.in.str(name+".Value")); err != nil {
				return err
			}
		}
	}
	if groups := c.in.strs("GroupId"); len(groups) > 0 {
		set++
		if err := c.changePrimary(&i, func(e *NetworkInterface) (err *Error) {
			e.Groups, err = c.groupsFor(groups, e.VPC)
			return err
		}); err != nil {
			return err
		}
		c.x.yes("return", true)
	}
	if maps := c.in.list("BlockDeviceMapping"); len(maps) > 0 {
		set++
		i.Devices = slices.Clone(i.Devices)
		for _, n := range maps {
			k := slices.IndexFunc(i.Devices, func(d BlockDevice) bool { return d.Name == n.str("DeviceName") })
			if k < 0 {
				return errorf("InvalidInstanceAttributeValue", "No device is currently mapped at %s", clip(n.str("DeviceName")))
			}
			i.Devices[k].DeleteOnTermination = n.yesOr("Ebs.DeleteOnTermination", i.Devices[k].DeleteOnTermination)
		}
		c.s.instances.put(&i)
		c.x.yes("return", true)
	}
	if set != 1 {
		return errorf("InvalidParameterCombination", "Exactly one attribute can be modified in a call")
	}
	return nil
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (c *call) changePrimary(i *Instance, f func(*NetworkInterface) *Error) *Error {
	nics := c.s.interfacesOf(i.ID)
	if len(nics) == 0 {
		return errorf("IncorrectInstanceState", "The instance '%s' has no network interface", i.ID)
	}
	if len(nics) > 1 {
		return errorf("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", i.ID)
	}
	e := *nics[0]
	if err := f(&e); err != nil {
		return err
	}
	c.s.putENI(&e)
	return nil
}

// setInstance changes one attribute of i, which is a copy, and keeps it.
func (c *call) setInstance(i *Instance, name, value string) *Error {
	yes := strings.EqualFold(value, "true")
	needStopped := false
	switch name {
	case "DisableApiStop":
		i.APIStop = yes
	case "DisableApiTermination":
		i.APITermination = yes
	case "EbsOptimized":
		i.EBSOptimized, needStopped = yes, true
	case "EnaSupport", "Kernel", "Ramdisk", "SriovNetSupport":
	case "InstanceInitiatedShutdownBehavior":
		if value != "stop" && value != "terminate" {
			return errorf("InvalidParameterValue", "Invalid value '%s' for instanceInitiatedShutdownBehavior. Expecting stop or terminate", clip(value))
		}
		i.Shutdown = value
	case "InstanceType":
		t := types()[value]
		if t == nil {
			return errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", clip(value))
		}
		if n := len(c.s.interfacesOf(i.ID)); n > t.enis {
			return errorf("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", n, value)
		}
		i.Type, needStopped = value, true
		if t.burst && i.Credits == "" {
			i.Credits = "standard"
		}
	case "SourceDestCheck":
		c.x.yes("return", true)
		return c.changePrimary(i, func(e *NetworkInterface) *Error { e.SourceDestCheck = yes; return nil })
	case "UserData":
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			return errorf("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
		}
		i.UserData, needStopped = value, true
	default:
		return errorf("InvalidParameterValue", "Value (%s) for parameter attribute is invalid.", clip(name))
	}
	if needStopped && i.State != Stopped {
		return errorf("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", i.ID)
	}
	c.s.instances.put(i)
	c.x.yes("return", true)
	return nil
}

func (c *call) modifyMetadata() *Error {
	old, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	i := *old
	i.MetadataTokens = c.in.or("HttpTokens", i.MetadataTokens)
	i.MetadataEndpoint = c.in.or("HttpEndpoint", i.MetadataEndpoint)
	i.MetadataHops = c.in.num("HttpPutResponseHopLimit", i.MetadataHops)
	i.MetadataIPv6 = c.in.or("HttpProtocolIpv6", i.MetadataIPv6)
	i.MetadataTags = c.in.or("InstanceMetadataTags", i.MetadataTags)
	c.s.instances.put(&i)
	c.x.str("instanceId", i.ID)
	c.x.group("instanceMetadataOptions", func() { c.writeMetadata(&i) })
	return nil
}

func (c *call) modifyCredits() *Error {
	var done []string
	for _, n := range c.in.list("InstanceCreditSpecification") {
		old, err := c.instance(n.str("InstanceId"))
		if err != nil {
			return err
		}
		i := *old
		i.Credits = n.or("CpuCredits", i.Credits)
		c.s.instances.put(&i)
		done = append(done, i.ID)
	}
	eachXML(c.x, "successfulInstanceCreditSpecificationSet", done, func(id string) { c.x.str("instanceId", id) })
	eachXML(c.x, "unsuccessfulInstanceCreditSpecificationSet", []string(nil), func(string) {})
	return nil
}

func (c *call) describeCredits() *Error {
	by := ids{param: "InstanceId", prefix: "i-", notFound: "InvalidInstanceID.NotFound", malform: "InvalidInstanceID.Malformed", what: "instance"}
	list, err := pick(c, c.s.instances, by, c.instanceAttribute)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(i *Instance) bool { return i.Credits == "" || i.State == Terminated })
	list, next, err := page(c, list, func(i *Instance) uint64 { return i.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "instanceCreditSpecificationSet", list, func(i *Instance) {
		c.x.str("instanceId", i.ID)
		c.x.str("cpuCredits", i.Credits)
	})
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) monitor(on bool) *Error {
	list, err := c.instancesOf()
	if err != nil {
		return err
	}
	told := "disabling"
	if on {
		told = "pending"
	}
	eachXML(c.x, "instancesSet", list, func(old *Instance) {
		i := *old
		i.Monitoring = on
		c.s.instances.put(&i)
		c.x.str("instanceId", i.ID)
		c.x.group("monitoring", func() { c.x.str("state", told) })
	})
	return nil
}
