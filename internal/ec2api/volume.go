package ec2api

import (
	"cmp"
	"slices"
	"time"

	"mirador/internal/mirror"
)

// volumeActions are those of EBS volumes, which hold nothing here.
func volumeActions() []action {
	const missing = "InvalidVolume.NotFound"
	return []action{
		write("CreateVolume", (*call).createVolume, "InvalidZone.NotFound", "InvalidSnapshot.NotFound", "IdempotentParameterMismatch"),
		write("DeleteVolume", (*call).deleteVolume, missing, "VolumeInUse"),
		write("AttachVolume", (*call).attachVolume, missing, "VolumeInUse", "InvalidVolume.ZoneMismatch", "InvalidInstanceID.NotFound", "IncorrectInstanceState"),
		write("DetachVolume", (*call).detachVolume, missing, "IncorrectState", "InvalidAttachment.NotFound", "OperationNotPermitted"),
		write("ModifyVolume", (*call).modifyVolume, missing),
		read("DescribeVolumes", (*call).describeVolumes, missing, "InvalidPaginationToken"),
		read("DescribeVolumesModifications", (*call).describeVolumeChanges, missing, "InvalidVolumeModification.NotFound", "InvalidPaginationToken"),
		read("DescribeVolumeStatus", (*call).describeVolumeStatus, missing, "InvalidPaginationToken"),
		read("DescribeVolumeAttribute", (*call).describeVolumeAttribute, missing),
	}
}

// VolumeChange is the last ModifyVolume of a volume: what it was before, and when.
type VolumeChange struct {
	Size       int       `json:"size"`
	Type       string    `json:"type"`
	IOPS       int       `json:"iops,omitempty"`
	Throughput int       `json:"throughput,omitempty"`
	At         time.Time `json:"at"`
}

const (
	// maxVolumeSize is the largest volume in GiB (AWS: EBS volume types, gp3).
	maxVolumeSize = 65_536
	// maxDevices is how many volumes an instance has (AWS: EBS volume limits of Nitro).
	maxDevices = 28
)

func volumeIDs() ids {
	return ids{param: "VolumeId", prefix: "vol-", notFound: "InvalidVolume.NotFound", malform: "InvalidParameterValue", what: "volume"}
}

func (c *call) volume() (*Volume, *Error) {
	return find(c.s.volumes, c.in.str("VolumeId"), volumeIDs())
}

// attachedAt is when a volume came to its instance: with it, or later.
func (v *Volume) attachedAt() time.Time {
	if v.Attached.IsZero() {
		return v.Created
	}
	return v.Attached
}

// fit checks a volume's size, and gives it the performance of its type where none is said.
func (v *Volume) fit() *Error {
	if v.Size < 1 || v.Size > maxVolumeSize {
		return errorf("InvalidParameterValue", "Volume of %dGiB is not valid: it must be 1 to %d GiB", v.Size, maxVolumeSize)
	}
	if v.IOPS < 0 || v.Throughput < 0 {
		return errorf("InvalidParameterValue", "The performance of a volume cannot be negative")
	}
	switch v.Type {
	case "gp3":
		v.IOPS, v.Throughput = cmp.Or(v.IOPS, 3000), cmp.Or(v.Throughput, 125)
	case "gp2":
		v.IOPS, v.Throughput = min(max(3*v.Size, 100), 16_000), 0
	case "io1", "io2":
		if v.Throughput = 0; v.IOPS == 0 {
			return errorf("MissingParameter", "The parameter iops must be specified for %s volumes.", v.Type)
		}
	default:
		v.IOPS, v.Throughput = 0, 0
	}
	return nil
}

func (c *call) createVolume() *Error {
	v, err := create(c, c.s.volumes, "volume", func(tags []mirror.Tag) (*Volume, *Error) {
		in := c.in
		name := in.str("AvailabilityZone")
		zones := c.s.zones()
		at := slices.IndexFunc(zones, func(z zone) bool { return z.name == name || name == "" && z.id == in.str("AvailabilityZoneId") })
		switch {
		case !in.has("AvailabilityZone") && !in.has("AvailabilityZoneId"):
			return nil, errorf("MissingParameter", "The request must contain the parameter AvailabilityZone")
		case at < 0:
			return nil, errorf("InvalidZone.NotFound", "The zone '%s' does not exist.", clip(cmp.Or(name, in.str("AvailabilityZoneId"))))
		case in.has("SnapshotId"):
			return nil, notFound("InvalidSnapshot.NotFound", "snapshot", in.str("SnapshotId"))
		case !in.has("Size"):
			return nil, errorf("MissingParameter", "The request must contain the parameter size or snapshotId")
		}
		v := &Volume{
			Resource: c.s.res(c.s.newID("vol-"), c.now, tags), Zone: zones[at].name, Size: in.num("Size", 0), Type: in.or("VolumeType", "gp2"),
			IOPS: in.num("Iops", 0), Throughput: in.num("Throughput", 0), Encrypted: in.yes("Encrypted"), KMSKey: in.str("KmsKeyId"),
		}
		return v, v.fit()
	})
	if err != nil {
		return err
	}
	c.writeVolume(v)
	return nil
}

func (c *call) deleteVolume() *Error {
	v, err := c.volume()
	if err != nil {
		return err
	}
	if v.InstanceID != "" {
		return errorf("VolumeInUse", "Volume %s is currently attached to %s", v.ID, v.InstanceID)
	}
	c.s.volumes.del(v.ID)
	c.x.yes("return", true)
	return nil
}

func (c *call) attachVolume() *Error {
	old, err := c.volume()
	if err != nil {
		return err
	}
	was, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	device := c.in.str("Device")
	switch {
	case old.InstanceID != "":
		return errorf("VolumeInUse", "%s is already attached to an instance", old.ID)
	case was.State == Terminated:
		return errorf("IncorrectInstanceState", "Instance '%s' is not 'running'.", was.ID)
	case was.Zone != old.Zone:
		return errorf("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", old.ID, was.ID)
	case device == "" || len(device) > 64:
		return errorf("InvalidParameterValue", "Value (%s) for parameter device is invalid. %s is not a valid EBS device name.", clip(device), clip(device))
	case slices.ContainsFunc(was.Devices, func(d BlockDevice) bool { return d.Name == device }):
		return errorf("InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
	case len(was.Devices) >= maxDevices:
		return errorf("AttachmentLimitExceeded", "Maximum number of %d volumes reached for instance %s", maxDevices, was.ID)
	}
	v, i := *old, *was
	v.InstanceID, v.Device, v.Attached = i.ID, device, c.stamp()
	i.Devices = append(slices.Clone(i.Devices), BlockDevice{Name: device, VolumeID: v.ID})
	c.s.volumes.put(&v)
	c.s.instances.put(&i)
	c.writeAttached(&v, "attaching")
	return nil
}

func (c *call) detachVolume() *Error {
	old, err := c.volume()
	if err != nil {
		return err
	}
	was := c.s.instances.get(old.InstanceID)
	switch {
	case was == nil:
		return errorf("IncorrectState", "Volume '%s' is in the 'available' state.", old.ID)
	case c.in.has("InstanceId") && c.in.str("InstanceId") != was.ID, c.in.has("Device") && c.in.str("Device") != old.Device:
		return errorf("InvalidAttachment.NotFound", "The volume %s is attached to %s as %s", old.ID, was.ID, old.Device)
	case was.State == Running && len(was.Devices) > 0 && was.Devices[0].VolumeID == old.ID:
		return errorf("OperationNotPermitted", "Unable to detach root volume '%s' from instance '%s'", old.ID, was.ID)
	}
	c.writeAttached(old, "detaching")
	v, i := *old, *was
	v.InstanceID, v.Device, v.Attached = "", "", time.Time{}
	i.Devices = slices.DeleteFunc(slices.Clone(i.Devices), func(d BlockDevice) bool { return d.VolumeID == v.ID })
	c.s.volumes.put(&v)
	c.s.instances.put(&i)
	return nil
}

// modifyVolume changes a volume at once; DescribeVolumesModifications says "completed".
func (c *call) modifyVolume() *Error {
	old, err := c.volume()
	if err != nil {
		return err
	}
	v := *old
	v.Size, v.Type = c.in.num("Size", v.Size), c.in.or("VolumeType", v.Type)
	if v.Type != old.Type {
		v.IOPS, v.Throughput = 0, 0
	}
	v.IOPS, v.Throughput = c.in.num("Iops", v.IOPS), c.in.num("Throughput", v.Throughput)
	if v.Size < old.Size {
		return errorf("InvalidParameterValue", "New size cannot be smaller than existing size")
	}
	if err := v.fit(); err != nil {
		return err
	}
	v.Change = &VolumeChange{old.Size, old.Type, old.IOPS, old.Throughput, c.stamp()}
	c.s.volumes.put(&v)
	c.x.group("volumeModification", func() { c.writeVolumeChange(&v, "modifying", 0) })
	return nil
}

func (c *call) writeVolumeChange(v *Volume, state string, progress int) {
	x := c.x
	x.str("volumeId", v.ID)
	x.str("modificationState", state)
	performance := func(which string, size int, kind string, iops, throughput int) {
		x.num(which+"Size", size)
		x.str(which+"VolumeType", kind)
		if iops > 0 {
			x.num(which+"Iops", iops)
		}
		if throughput > 0 {
			x.num(which+"Throughput", throughput)
		}
		x.yes(which+"MultiAttachEnabled", false)
	}
	performance("target", v.Size, v.Type, v.IOPS, v.Throughput)
	performance("original", v.Change.Size, v.Change.Type, v.Change.IOPS, v.Change.Throughput)
	x.num("progress", progress)
	x.time("startTime", v.Change.At)
	if progress == 100 {
		x.time("endTime", v.Change.At)
	}
}

func (c *call) describeVolumeChanges() *Error {
	list, err := pick(c, c.s.volumes, volumeIDs(), func(v *Volume, name string) ([]string, bool) {
		switch {
		case name == "volume-id":
			return one(v.ID), true
		case v.Change == nil:
			return nil, true
		}
		switch name {
		case "modification-state":
			return one("completed"), true
		case "target-size":
			return number(v.Size), true
		case "target-volume-type":
			return one(v.Type), true
		case "target-iops":
			return number(v.IOPS), true
		case "original-size":
			return number(v.Change.Size), true
		case "original-volume-type":
			return one(v.Change.Type), true
		case "original-iops":
			return number(v.Change.IOPS), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	if c.in.has("VolumeId") {
		for _, v := range list {
			if v.Change == nil {
				return errorf("InvalidVolumeModification.NotFound", "Modification for volume '%s' does not exist.", v.ID)
			}
		}
	}
	list = slices.DeleteFunc(slices.Clone(list), func(v *Volume) bool { return v.Change == nil })
	list, next, err := page(c, list, func(v *Volume) uint64 { return v.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "volumeModificationSet", list, func(v *Volume) { c.writeVolumeChange(v, "completed", 100) })
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) describeVolumeStatus() *Error {
	x := c.x
	return describe(c, c.s.volumes, volumeIDs(), func(v *Volume, name string) ([]string, bool) {
		switch name {
		case "availability-zone":
			return one(v.Zone), true
		case "availability-zone-id":
			return one(c.s.zoneID(v.Zone)), true
		case "volume-status.status":
			return one("ok"), true
		}
		return nil, false
	}, "volumeStatusSet", func(v *Volume) {
		x.str("volumeId", v.ID)
		x.str("availabilityZone", v.Zone)
		x.str("availabilityZoneId", c.s.zoneID(v.Zone))
		x.group("volumeStatus", func() {
			x.str("status", "ok")
			eachXML(x, "details", []string{"io-enabled"}, func(name string) { x.str("name", name); x.str("status", "passed") })
		})
		x.strs("eventsSet", nil)
		x.strs("actionsSet", nil)
	})
}

func (c *call) describeVolumeAttribute() *Error {
	v, err := c.volume()
	if err != nil {
		return err
	}
	c.x.str("volumeId", v.ID)
	if c.in.str("Attribute") == "productCodes" {
		c.x.strs("productCodes", nil)
	} else {
		c.x.group("autoEnableIO", func() { c.x.yes("value", false) })
	}
	return nil
}

// writeAttached is the attachment of a volume that has one.
func (c *call) writeAttached(v *Volume, state string) {
	c.x.str("volumeId", v.ID)
	c.x.str("instanceId", v.InstanceID)
	c.x.str("device", v.Device)
	c.x.str("status", state)
	c.x.time("attachTime", v.attachedAt())
	c.x.yes("deleteOnTermination", c.deleteWith(v))
}

func (v *Volume) state() string {
	if v.InstanceID != "" {
		return "in-use"
	}
	return "available"
}

func (c *call) describeVolumes() *Error {
	return describe(c, c.s.volumes, volumeIDs(), func(v *Volume, name string) ([]string, bool) {
		switch name {
		case "attachment.device":
			return one(v.Device), true
		case "attachment.instance-id":
			return one(v.InstanceID), true
		case "attachment.status":
			if v.InstanceID == "" {
				return nil, true
			}
			return one("attached"), true
		case "attachment.delete-on-termination":
			return yesno(c.deleteWith(v)), true
		case "attachment.attach-time":
			if v.InstanceID == "" {
				return nil, true
			}
			return one(v.attachedAt().Format("2006-01-02T15:04:05.000Z")), true
		case "create-time":
			return one(v.Created.Format("2006-01-02T15:04:05.000Z")), true
		case "availability-zone":
			return one(v.Zone), true
		case "availability-zone-id":
			return one(c.s.zoneID(v.Zone)), true
		case "encrypted":
			return yesno(v.Encrypted), true
		case "size":
			return number(v.Size), true
		case "snapshot-id":
			return one(v.Snapshot), true
		case "status":
			return one(v.state()), true
		case "volume-id":
			return one(v.ID), true
		case "volume-type":
			return one(v.Type), true
		}
		return nil, false
	}, "volumeSet", c.writeVolume)
}

func (c *call) writeVolume(v *Volume) {
	x := c.x
	x.str("volumeId", v.ID)
	x.num("size", v.Size)
	x.str("snapshotId", v.Snapshot)
	x.str("availabilityZone", v.Zone)
	x.str("availabilityZoneId", c.s.zoneID(v.Zone))
	x.str("status", v.state())
	x.time("createTime", v.Created)
	var at []*Volume
	if v.InstanceID != "" {
		at = []*Volume{v}
	}
	eachXML(x, "attachmentSet", at, func(v *Volume) {
		c.writeAttached(v, "attached")
	})
	x.str("volumeType", v.Type)
	if v.IOPS > 0 {
		x.num("iops", v.IOPS)
	}
	if v.Throughput > 0 {
		x.num("throughput", v.Throughput)
	}
	x.yes("encrypted", v.Encrypted)
	x.opt("kmsKeyId", v.KMSKey)
	x.yes("multiAttachEnabled", false)
	c.writeTags(v.Tags)
}

// deleteWith tells whether a volume goes with its instance.
func (c *call) deleteWith(v *Volume) bool {
	i := c.s.instances.get(v.InstanceID)
	return i != nil && slices.ContainsFunc(i.Devices, func(d BlockDevice) bool { return d.VolumeID == v.ID && d.DeleteOnTermination })
}

// attachedAt is when the volume of a device came to its instance.
func (c *call) attachedAt(i *Instance, d BlockDevice) time.Time {
	if v := c.s.volumes.get(d.VolumeID); v != nil {
		return v.attachedAt()
	}
	return i.Created
}
