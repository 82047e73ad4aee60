package ec2api

import (
	"cmp"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// placeActions are about what is there before anybody makes something, and about what
// instances are made of.
func placeActions() []action {
	return []action{
		read("DescribeAvailabilityZones", (*call).describeZones),
		read("DescribeRegions", (*call).describeRegions, "InvalidParameterValue"),
		read("DescribeAccountAttributes", (*call).describeAccount),
		read("DescribeImages", (*call).describeImages, "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
		read("DescribeInstanceTypes", (*call).describeTypes, "InvalidInstanceType", "InvalidPaginationToken"),
		read("DescribeInstanceTypeOfferings", (*call).describeOfferings, "InvalidPaginationToken"),
		write("CreateKeyPair", (*call).createKey, "InvalidKeyPair.Duplicate"),
		write("ImportKeyPair", (*call).importKey, "InvalidKeyPair.Duplicate", "InvalidKey.Format"),
		write("DeleteKeyPair", (*call).deleteKey),
		read("DescribeKeyPairs", (*call).describeKeys, "InvalidKeyPair.NotFound"),
	}
}

func (c *call) describeZones() *Error {
	zones := c.s.zones()
	for _, want := range append(c.in.strs("ZoneName"), c.in.strs("ZoneId")...) {
		if !slices.ContainsFunc(zones, func(z zone) bool { return z.name == want || z.id == want }) {
			return errorf("InvalidParameterValue", "Invalid availability zone: [%s]", clip(want))
		}
	}
	names, zids := c.in.strs("ZoneName"), c.in.strs("ZoneId")
	var list []*zone
	for _, z := range zones {
		if (len(names) == 0 || slices.Contains(names, z.name)) && (len(zids) == 0 || slices.Contains(zids, z.id)) {
			list = append(list, &z)
		}
	}
	region := c.s.meta.Region
	list, err := filter(c, list, func(z *zone, name string) ([]string, bool) {
		switch name {
		case "group-name":
			return one(region + "-zg-1"), true
		case "opt-in-status":
			return one("opt-in-not-required"), true
		case "region-name":
			return one(region), true
		case "state":
			return one("available"), true
		case "zone-id":
			return one(z.id), true
		case "zone-name":
			return one(z.name), true
		case "zone-type":
			return one("availability-zone"), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "availabilityZoneInfo", list, func(z *zone) {
		x.str("zoneName", z.name)
		x.str("zoneId", z.id)
		x.str("zoneState", "available")
		x.str("regionName", region)
		x.str("groupName", region+"-zg-1")
		x.str("networkBorderGroup", region)
		x.str("zoneType", "availability-zone")
		x.str("optInStatus", "opt-in-not-required")
		eachXML(x, "messageSet", []string(nil), func(string) {})
	})
	return nil
}

// describeRegions knows the endpoint's own region only.
func (c *call) describeRegions() *Error {
	region := c.s.meta.Region
	list := []*string{&region}
	if want := c.in.strs("RegionName"); len(want) > 0 {
		for _, w := range want {
			if w != region {
				return errorf("InvalidParameterValue", "Invalid region '%s' provided.", clip(w))
			}
		}
	}
	list, err := filter(c, list, func(r *string, name string) ([]string, bool) {
		switch name {
		case "region-name":
			return one(*r), true
		case "endpoint":
			return one("ec2." + *r + ".amazonaws.com"), true
		case "opt-in-status":
			return one("opt-in-not-required"), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	eachXML(c.x, "regionInfo", list, func(r *string) {
		c.x.str("regionName", *r)
		c.x.str("regionEndpoint", "ec2."+*r+".amazonaws.com")
		c.x.str("optInStatus", "opt-in-not-required")
	})
	return nil
}

func (c *call) describeAccount() *Error {
	vpc := "none"
	if v := c.s.defaultVPC(); v != nil {
		vpc = v.ID
	}
	all := [][2]string{
		{"supported-platforms", "VPC"}, {"default-vpc", vpc}, {"max-instances", "20"}, {"vpc-max-security-groups-per-interface", "5"}, {"max-elastic-ips", "5"}, {"vpc-max-elastic-ips", "5"},
	}
	if want := c.in.strs("AttributeName"); len(want) > 0 {
		all = slices.DeleteFunc(all, func(a [2]string) bool { return !slices.Contains(want, a[0]) })
	}
	eachXML(c.x, "accountAttributeSet", all, func(a [2]string) {
		c.x.str("attributeName", a[0])
		eachXML(c.x, "attributeValueSet", a[1:], func(v string) { c.x.str("attributeValue", v) })
	})
	return nil
}

// image is a machine image that instances can be said to run.
type image struct {
	id, name, arch, owner, alias, description, root, snapshot, created string
	known                                                              bool
}

// images are those that set-up tools and examples look for. Their ids are made from
// their names.
func images() []*image {
	const (
		amazon, canonical, debian = "137112412989", "099720109477", "136693071363"
	)
	rows := []image{
		{name: "al2023-ami-2023.6.20250115.0-kernel-6.1-x86_64", arch: "x86_64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-15"},
		{name: "al2023-ami-2023.6.20250115.0-kernel-6.1-arm64", arch: "arm64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-15"},
		{name: "al2023-ami-minimal-2023.6.20250115.0-kernel-6.1-x86_64", arch: "x86_64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-15"},
		{name: "al2023-ami-minimal-2023.6.20250115.0-kernel-6.1-arm64", arch: "arm64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-15"},
		{name: "amzn2-ami-hvm-2.0.20250116.0-x86_64-gp2", arch: "x86_64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-16"},
		{name: "amzn2-ami-hvm-2.0.20250116.0-arm64-gp2", arch: "arm64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-16"},
		{name: "amzn2-ami-minimal-hvm-2.0.20250116.0-x86_64-ebs", arch: "x86_64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-16"},
		{name: "amzn2-ami-minimal-hvm-2.0.20250116.0-arm64-ebs", arch: "arm64", owner: amazon, alias: "amazon", root: "/dev/xvda", created: "2025-01-16"},
		{name: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250112", arch: "x86_64", owner: canonical, root: "/dev/sda1", created: "2025-01-12"},
		{name: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-20250112", arch: "arm64", owner: canonical, root: "/dev/sda1", created: "2025-01-12"},
		{name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250115", arch: "x86_64", owner: canonical, root: "/dev/sda1", created: "2025-01-15"},
		{name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250115", arch: "arm64", owner: canonical, root: "/dev/sda1", created: "2025-01-15"},
		{name: "debian-12-amd64-20250115-1993", arch: "x86_64", owner: debian, root: "/dev/xvda", created: "2025-01-15"},
		{name: "debian-12-arm64-20250115-1993", arch: "arm64", owner: debian, root: "/dev/xvda", created: "2025-01-15"},
	}
	var out []*image
	for _, i := range rows {
		i.known, i.description = true, i.name
		i.id, i.snapshot = nameID("ami-", i.name), nameID("snap-", i.name)
		out = append(out, &i)
	}
	return out
}

// nameID makes an id that is the same for the same name.
func nameID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + hex.EncodeToString(sum[:])[:17]
}

// imageByID finds an image to start instances from. There is no image anywhere, so any
// id of the right form is as good as those of the list.
func imageByID(_ *state, id string) (*image, *Error) {
	for _, i := range images() {
		if i.id == id {
			return i, nil
		}
	}
	if !validID("ami-", id) {
		return nil, malformed("InvalidAMIID.Malformed", id)
	}
	return &image{id: id, name: id, root: "/dev/xvda", snapshot: nameID("snap-", id), created: "2025-01-01"}, nil
}

func (c *call) describeImages() *Error {
	list := images()
	for _, i := range c.s.instances.all() {
		if !slices.ContainsFunc(list, func(o *image) bool { return o.id == i.Image }) {
			list = append(list, &image{id: i.Image, name: i.Image, owner: c.s.meta.AccountID, arch: typeInfo(i.Type).arch, root: "/dev/xvda", snapshot: nameID("snap-", i.Image), created: "2025-01-01"})
		}
	}
	if want := c.in.strs("ImageId"); len(want) > 0 {
		for _, id := range want {
			if !slices.ContainsFunc(list, func(o *image) bool { return o.id == id }) {
				if !validID("ami-", id) {
					return malformed("InvalidAMIID.Malformed", id)
				}
				return errorf("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
			}
		}
		list = slices.DeleteFunc(list, func(o *image) bool { return !slices.Contains(want, o.id) })
	}
	if owners := c.in.strs("Owner"); len(owners) > 0 {
		self := slices.Contains(owners, "self")
		list = slices.DeleteFunc(list, func(o *image) bool {
			return !slices.Contains(owners, o.owner) && (o.alias == "" || !slices.Contains(owners, o.alias)) && !(self && o.owner == c.s.meta.AccountID)
		})
	}
	list, err := filter(c, list, imageAttribute)
	if err != nil {
		return err
	}
	seq := map[*image]uint64{}
	for n, i := range list {
		seq[i] = uint64(n + 1)
	}
	list, next, err := page(c, list, func(i *image) uint64 { return seq[i] })
	if err != nil {
		return err
	}
	eachXML(c.x, "imagesSet", list, c.writeImage)
	c.x.opt("nextToken", next)
	return nil
}

func imageAttribute(i *image, name string) ([]string, bool) {
	switch name {
	case "architecture":
		return one(i.arch), true
	case "block-device-mapping.device-name", "root-device-name":
		return one(i.root), true
	case "block-device-mapping.delete-on-termination", "ena-support", "is-public":
		return yesno(true), true
	case "block-device-mapping.encrypted":
		return yesno(false), true
	case "block-device-mapping.snapshot-id":
		return one(i.snapshot), true
	case "block-device-mapping.volume-size":
		return one("8"), true
	case "block-device-mapping.volume-type":
		return one("gp3"), true
	case "creation-date":
		return one(i.created + "T00:00:00.000Z"), true
	case "description":
		return one(i.description), true
	case "hypervisor":
		return one("xen"), true
	case "image-id":
		return one(i.id), true
	case "image-type":
		return one("machine"), true
	case "manifest-location":
		return one(cmp.Or(i.alias, i.owner) + "/" + i.name), true
	case "name":
		return one(i.name), true
	case "owner-alias":
		return one(i.alias), true
	case "owner-id":
		return one(i.owner), true
	case "root-device-type":
		return one("ebs"), true
	case "state":
		return one("available"), true
	case "virtualization-type":
		return one("hvm"), true
	}
	return filterTags(nil, name)
}

func (c *call) writeImage(i *image) {
	x := c.x
	x.str("imageId", i.id)
	x.str("imageLocation", cmp.Or(i.alias, i.owner)+"/"+i.name)
	x.str("imageState", "available")
	x.str("imageOwnerId", i.owner)
	x.opt("imageOwnerAlias", i.alias)
	x.str("creationDate", i.created+"T00:00:00.000Z")
	x.yes("isPublic", true)
	x.str("architecture", i.arch)
	x.str("imageType", "machine")
	x.str("name", i.name)
	x.opt("description", i.description)
	x.str("rootDeviceType", "ebs")
	x.str("rootDeviceName", i.root)
	x.group("blockDeviceMapping", func() {
		x.group("item", func() {
			x.str("deviceName", i.root)
			x.group("ebs", func() {
				x.str("snapshotId", i.snapshot)
				x.num("volumeSize", 8)
				x.yes("deleteOnTermination", true)
				x.str("volumeType", "gp3")
				x.yes("encrypted", false)
			})
		})
	})
	x.str("virtualizationType", "hvm")
	x.str("hypervisor", "xen")
	x.yes("enaSupport", true)
	x.str("platformDetails", "Linux/UNIX")
	x.str("usageOperation", "RunInstances")
	x.str("imdsSupport", "v2.0")
	c.writeTags(nil)
}

func (c *call) describeTypes() *Error {
	var list []*typeData
	if want := c.in.strs("InstanceType"); len(want) > 0 {
		if len(want) > 100 {
			return errorf("InvalidParameterValue", "At most 100 instance types can be given")
		}
		var unknown []string
		for _, name := range want {
			t := types()[name]
			if t == nil {
				unknown = append(unknown, clip(name))
			} else if !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
		if len(unknown) > 0 {
			return errorf("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
		}
	} else {
		list = slices.Collect(maps.Values(types()))
	}
	slices.SortFunc(list, func(a, b *typeData) int { return cmp.Compare(a.name, b.name) })
	place := map[*typeData]uint64{}
	for n, t := range list {
		place[t] = uint64(n + 1)
	}
	list, err := filter(c, list, typeAttribute)
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(t *typeData) uint64 { return place[t] })
	if err != nil {
		return err
	}
	eachXML(c.x, "instanceTypeSet", list, c.writeType)
	c.x.opt("nextToken", next)
	return nil
}

func typeAttribute(t *typeData, name string) ([]string, bool) {
	switch name {
	case "auto-recovery-supported", "dedicated-hosts-supported", "network-info.ipv6-supported":
		return yesno(true), true
	case "bare-metal":
		return yesno(t.hypervisor == ""), true
	case "burstable-performance-supported":
		return yesno(t.burst), true
	case "current-generation":
		return yesno(t.current), true
	case "free-tier-eligible":
		return yesno(t.name == "t2.micro" || t.name == "t3.micro"), true
	case "hypervisor":
		return one(t.hypervisor), true
	case "instance-storage-supported":
		return yesno(t.disk), true
	case "instance-type":
		return one(t.name), true
	case "memory-info.size-in-mib":
		return number(t.memory), true
	case "network-info.ena-support":
		return one(t.ena()), true
	case "network-info.ipv4-addresses-per-interface", "network-info.ipv6-addresses-per-interface":
		return number(t.addrs), true
	case "network-info.maximum-network-cards":
		return number(t.cards), true
	case "network-info.maximum-network-interfaces":
		return number(t.enis), true
	case "network-info.network-performance":
		return one(t.performance()), true
	case "network-info.efa-supported", "hibernation-supported":
		return yesno(false), true
	case "processor-info.supported-architecture":
		return one(t.arch), true
	case "supported-usage-class":
		return []string{"on-demand", "spot"}, true
	case "supported-root-device-type":
		return one("ebs"), true
	case "supported-virtualization-type":
		return one("hvm"), true
	case "vcpu-info.default-vcpus":
		return number(t.vcpus), true
	}
	return nil, false
}

func (t *typeData) ena() string {
	if t.family == "t2" || t.family == "c4" || t.family == "m4" {
		return "unsupported"
	}
	return "required"
}

func (t *typeData) performance() string {
	switch {
	case t.family == "t2":
		return "Low to Moderate"
	case t.peak > t.baseline:
		return "Up to " + strconv.FormatFloat(t.peak, 'f', -1, 64) + " Gigabit"
	}
	return strconv.FormatFloat(t.baseline, 'f', -1, 64) + " Gigabit"
}

func (c *call) writeType(t *typeData) {
	x := c.x
	x.str("instanceType", t.name)
	x.yes("currentGeneration", t.current)
	x.yes("freeTierEligible", t.name == "t2.micro" || t.name == "t3.micro")
	x.strs("supportedUsageClasses", []string{"on-demand", "spot"})
	x.strs("supportedRootDeviceTypes", []string{"ebs"})
	x.strs("supportedVirtualizationTypes", []string{"hvm"})
	x.yes("bareMetal", t.hypervisor == "")
	x.opt("hypervisor", t.hypervisor)
	x.group("processorInfo", func() {
		x.strs("supportedArchitectures", []string{t.arch})
		x.str("manufacturer", t.maker)
	})
	cores, threads := c.cpus(nil, t)
	x.group("vCpuInfo", func() {
		x.num("defaultVCpus", t.vcpus)
		x.num("defaultCores", cores)
		x.num("defaultThreadsPerCore", threads)
	})
	x.group("memoryInfo", func() { x.num("sizeInMiB", t.memory) })
	x.yes("instanceStorageSupported", t.disk)
	x.group("ebsInfo", func() {
		x.str("ebsOptimizedSupport", "default")
		x.str("encryptionSupport", "supported")
		x.str("nvmeSupport", map[bool]string{true: "unsupported", false: "required"}[t.hypervisor == "xen"])
	})
	x.group("networkInfo", func() {
		x.str("networkPerformance", t.performance())
		x.num("maximumNetworkInterfaces", t.enis)
		x.num("maximumNetworkCards", t.cards)
		x.num("defaultNetworkCardIndex", 0)
		x.group("networkCards", func() {
			x.group("item", func() {
				x.num("networkCardIndex", 0)
				x.str("networkPerformance", t.performance())
				x.num("maximumNetworkInterfaces", t.enis)
				x.float("baselineBandwidthInGbps", t.baseline)
				x.float("peakBandwidthInGbps", t.peak)
			})
		})
		x.num("ipv4AddressesPerInterface", t.addrs)
		x.num("ipv6AddressesPerInterface", t.addrs)
		x.yes("ipv6Supported", true)
		x.str("enaSupport", t.ena())
		x.yes("efaSupported", false)
		x.yes("encryptionInTransitSupported", t.hypervisor == "nitro" && t.peak >= 12.5)
		x.yes("enaSrdSupported", false)
	})
	x.group("placementGroupInfo", func() { x.strs("supportedStrategies", []string{"partition", "spread"}) })
	x.yes("hibernationSupported", false)
	x.yes("burstablePerformanceSupported", t.burst)
	x.yes("dedicatedHostsSupported", true)
	x.yes("autoRecoverySupported", true)
	x.strs("supportedBootModes", []string{"legacy-bios", "uefi"})
}

type offering struct {
	typ, location string
	seq           uint64
}

func (c *call) describeOfferings() *Error {
	kind := c.in.or("LocationType", "region")
	var places []string
	for _, z := range c.s.zones() {
		switch kind {
		case "availability-zone":
			places = append(places, z.name)
		case "availability-zone-id":
			places = append(places, z.id)
		}
	}
	if kind == "region" {
		places = []string{c.s.meta.Region}
	}
	var list []*offering
	for _, name := range slices.Sorted(maps.Keys(types())) {
		for _, p := range places {
			list = append(list, &offering{name, p, uint64(len(list) + 1)})
		}
	}
	list, err := filter(c, list, func(o *offering, name string) ([]string, bool) {
		switch name {
		case "instance-type":
			return one(o.typ), true
		case "location":
			return one(o.location), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(o *offering) uint64 { return o.seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "instanceTypeOfferingSet", list, func(o *offering) {
		c.x.str("instanceType", o.typ)
		c.x.str("locationType", kind)
		c.x.str("location", o.location)
	})
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) keyByName(name string) *KeyPair {
	for _, k := range c.s.keys.all() {
		if k.Name == name {
			return k
		}
	}
	return nil
}

func (c *call) newKey(kind, fingerprint, public string) (*KeyPair, *Error) {
	tags, err := c.specTags("key-pair")
	if err != nil {
		return nil, err
	}
	name := c.in.str("KeyName")
	if c.keyByName(name) != nil {
		return nil, errorf("InvalidKeyPair.Duplicate", "The keypair already exists")
	}
	if len(name) > 255 {
		return nil, errorf("InvalidParameterValue", "The key name is longer than 255 characters")
	}
	k := &KeyPair{Resource: c.s.res(c.s.newID("key-"), c.now, tags), Name: name, Fingerprint: fingerprint, Type: kind, PublicKey: public}
	c.s.keys.put(k)
	c.x.str("keyName", k.Name)
	c.x.str("keyFingerprint", k.Fingerprint)
	c.x.str("keyPairId", k.ID)
	c.writeTags(k.Tags)
	return k, nil
}

// createKey makes a real key: clients store it and some read it.
func (c *call) createKey() *Error {
	kind := c.in.or("KeyType", "rsa")
	var private any
	var err error
	if kind == "ed25519" {
		_, private, err = ed25519.GenerateKey(c.s.random)
	} else {
		private, err = rsa.GenerateKey(c.s.random, 2048)
	}
	if err != nil {
		return errorf("InternalError", "An internal error has occurred")
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return errorf("InternalError", "An internal error has occurred")
	}
	sum := sha256.Sum256(der)
	if _, err := c.newKey(kind, colons(sum[:20]), ""); err != nil {
		return err
	}
	c.x.str("keyMaterial", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return nil
}

func colons(b []byte) string {
	parts := make([]string, len(b))
	for i, v := range b {
		parts[i] = hex.EncodeToString([]byte{v})
	}
	return strings.Join(parts, ":")
}

func (c *call) importKey() *Error {
	text, err := base64.StdEncoding.DecodeString(c.in.str("PublicKeyMaterial"))
	f := strings.Fields(string(text))
	if err != nil || len(f) < 2 || !validText(string(text)) {
		return errorf("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	kind := map[string]string{"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}[f[0]]
	blob, err := base64.StdEncoding.DecodeString(f[1])
	if kind == "" || err != nil {
		return errorf("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	sum := md5.Sum(blob)
	_, fault := c.newKey(kind, colons(sum[:]), string(text))
	return fault
}

func (c *call) deleteKey() *Error {
	for _, k := range c.s.keys.all() {
		if k.Name == c.in.str("KeyName") || k.ID == c.in.str("KeyPairId") {
			c.s.keys.del(k.ID)
			c.x.str("keyPairId", k.ID)
		}
	}
	c.x.yes("return", true)
	return nil
}

func (c *call) describeKeys() *Error {
	names := c.in.strs("KeyName")
	for _, n := range names {
		if c.keyByName(n) == nil {
			return errorf("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", clip(n))
		}
	}
	list, err := pick(c, c.s.keys, ids{param: "KeyPairId", prefix: "key-", notFound: "InvalidKeyPair.NotFound", what: "key pair"}, func(k *KeyPair, name string) ([]string, bool) {
		switch name {
		case "fingerprint":
			return one(k.Fingerprint), true
		case "key-name":
			return one(k.Name), true
		case "key-pair-id":
			return one(k.ID), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	if len(names) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(k *KeyPair) bool { return !slices.Contains(names, k.Name) })
	}
	eachXML(c.x, "keySet", list, func(k *KeyPair) {
		c.x.str("keyPairId", k.ID)
		c.x.str("keyFingerprint", k.Fingerprint)
		c.x.str("keyName", k.Name)
		c.x.str("keyType", k.Type)
		if c.in.yes("IncludePublicKey") {
			c.x.opt("publicKey", k.PublicKey)
		}
		c.x.time("createTime", k.Created)
		c.writeTags(k.Tags)
	})
	return nil
}
