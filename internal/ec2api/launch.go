package ec2api

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"

	"mirador/internal/mirror"
)

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
	var from []mirror.Tag
	if spec := c.in.get("LaunchTemplate"); spec != nil {
		t, v, err := c.fromTemplate(spec)
		if err != nil {
			return err
		}
		from = []mirror.Tag{{Key: "aws:ec2launchtemplate:id", Value: t.ID}, {Key: "aws:ec2launchtemplate:version", Value: strconv.Itoa(v.Number)}}
	}
	l, err := c.launch()
	if err != nil {
		return err
	}
	l.tags = append(l.tags, from...)
	reservation := c.s.newID("r-")
	var list []*Instance
	var made2 []string
	for index := range l.n {
		i, err := c.launchOne(l, reservation, index)
		if err != nil {
			return err
		}
		list, made2 = append(list, i), append(made2, i.ID)
		c.stateChanged(i.ID, Pending, Running)
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
	l.profile = c.profileARN(in.get("IamInstanceProfile"))
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
		Recovery: in.or("MaintenanceOptions.AutoRecovery", "default"), Reservations: in.str("CapacityReservationSpecification.CapacityReservationPreference"),
		Hostname: in.str("PrivateDnsNameOptions.HostnameType"), NameA: in.yes("PrivateDnsNameOptions.EnableResourceNameDnsARecord"), NameAAAA: in.yes("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord"),
		Bandwidth: in.str("NetworkPerformanceOptions.BandwidthWeighting"),
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
		} else if len(disks) < maxDevices {
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
