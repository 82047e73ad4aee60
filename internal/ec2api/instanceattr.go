package ec2api

import (
	"encoding/base64"
	"slices"
	"strings"
)

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
				x.time("attachTime", c.attachedAt(i, d))
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
