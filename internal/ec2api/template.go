package ec2api

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func templateActions() []action {
	const id, name = "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"
	return []action{
		write("CreateLaunchTemplate", (*call).createTemplate, "InvalidLaunchTemplateName.AlreadyExistsException", "InvalidLaunchTemplateName.MalformedException", "IdempotentParameterMismatch"),
		write("CreateLaunchTemplateVersion", (*call).createTemplateVersion, id, name),
		write("ModifyLaunchTemplate", (*call).modifyTemplate, id, name, "InvalidLaunchTemplateId.VersionNotFound"),
		write("DeleteLaunchTemplate", (*call).deleteTemplate, id, name),
		write("DeleteLaunchTemplateVersions", (*call).deleteTemplateVersions, id, name),
		read("DescribeLaunchTemplates", (*call).describeTemplates, id, name, "InvalidPaginationToken"),
		read("DescribeLaunchTemplateVersions", (*call).describeTemplateVersions, id, name, "InvalidLaunchTemplateId.VersionNotFound"),
	}
}

// LaunchTemplate is a launch template.
type LaunchTemplate struct {
	Resource
	Name     string            `json:"name"`
	Default  int               `json:"default"`
	Latest   int               `json:"latest"` // number of the newest version that ever was
	Creator  string            `json:"creator"`
	Versions []TemplateVersion `json:"versions"` // by number
}

// TemplateVersion is a version of a launch template: parameters of RunInstances, by their
// names on the wire.
type TemplateVersion struct {
	Number      int               `json:"number"`
	Description string            `json:"description,omitempty"`
	Created     time.Time         `json:"created"`
	Creator     string            `json:"creator"`
	Data        map[string]string `json:"data"`
}

// maxTemplateVersions is how many versions a template has at most. AWS: 10,000; each
// change writes all of them anew here.
const maxTemplateVersions = 200

var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

// flatten gives what is below n its names on the wire.
func (n *node) flatten(prefix string, into map[string]string) {
	if n == nil {
		return
	}
	switch n.shape.kind {
	case kindStruct:
		for k, kid := range n.kids {
			kid.flatten(strings.TrimPrefix(prefix+"."+k, "."), into)
		}
	case kindList:
		for _, i := range n.order() {
			n.items[i].flatten(prefix+"."+strconv.Itoa(i), into)
		}
	default:
		into[prefix] = n.text
	}
}

// unflatten makes a tree of the shape s of what flatten made; names that s does not have
// are left out.
func unflatten(s *shape, data map[string]string) *node {
	n := &node{shape: s}
	for _, k := range sortedKeys(data) {
		n.set(k, data[k])
	}
	return n
}

// template finds a launch template by id or name.
func (c *call) template(id, name string) (*LaunchTemplate, *Error) {
	switch {
	case id != "" && name != "":
		return nil, errorf("InvalidParameterCombination", "The request must contain exactly one of launch template id and launch template name")
	case id != "":
		if t := c.s.templates.get(id); t != nil {
			return t, nil
		}
		if !validID("lt-", id) {
			return nil, errorf("InvalidLaunchTemplateId.Malformed", "The specified launch template ID, %s, is malformed.", clip(id))
		}
		return nil, errorf("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", clip(id))
	case name != "":
		for _, t := range c.s.templates.all() {
			if t.Name == name {
				return t, nil
			}
		}
		return nil, errorf("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", clip(name))
	}
	return nil, errorf("MissingParameter", "Either a launch template ID or a launch template name must be specified in the request.")
}

// version finds a version: a number, $Latest or $Default (also when text is empty).
func (t *LaunchTemplate) version(text string) (*TemplateVersion, *Error) {
	n := t.Default
	switch text {
	case "", "$Default":
	case "$Latest":
		n = t.Versions[len(t.Versions)-1].Number
	default:
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return nil, errorf("InvalidLaunchTemplateVersion.Malformed", "The launch template version %s is malformed.", clip(text))
		}
	}
	for i := range t.Versions {
		if t.Versions[i].Number == n {
			return &t.Versions[i], nil
		}
	}
	return nil, errorf("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s for the launch template with ID %s.", clip(text), t.ID)
}

// newVersion reads LaunchTemplateData, over that of a version to start from.
func (c *call) newVersion(number int, from *TemplateVersion) (TemplateVersion, *Error) {
	v := TemplateVersion{Number: number, Description: c.in.str("VersionDescription"), Created: c.stamp(), Creator: c.who.arn, Data: map[string]string{}}
	if from != nil {
		maps.Copy(v.Data, from.Data)
	}
	own := map[string]string{}
	c.in.get("LaunchTemplateData").flatten("", own)
	if len(own) == 0 && from == nil {
		return v, errorf("MissingParameter", "The request must contain the parameter LaunchTemplateData")
	}
	// A member that is given takes the place of all that the source had of it.
	for k := range own {
		head, _, _ := strings.Cut(k, ".")
		maps.DeleteFunc(v.Data, func(old, _ string) bool { return old == head || strings.HasPrefix(old, head+".") })
	}
	maps.Copy(v.Data, own)
	return v, nil
}

func (c *call) createTemplate() *Error {
	t, err := create(c, c.s.templates, "launch-template", func(tags []mirror.Tag) (*LaunchTemplate, *Error) {
		name := c.in.str("LaunchTemplateName")
		if !templateName.MatchString(name) {
			return nil, errorf("InvalidLaunchTemplateName.MalformedException", "The name must be 3 to 128 characters long, of letters, digits and ( ) . - / _")
		}
		if _, err := c.template("", name); err == nil {
			return nil, errorf("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
		v, err := c.newVersion(1, nil)
		if err != nil {
			return nil, err
		}
		return &LaunchTemplate{Resource: c.s.res(c.s.newID("lt-"), c.now, tags), Name: name, Default: 1, Latest: 1, Creator: c.who.arn, Versions: []TemplateVersion{v}}, nil
	})
	if err != nil {
		return err
	}
	c.x.group("launchTemplate", func() { c.writeTemplate(t) })
	return nil
}

func (c *call) writeTemplate(t *LaunchTemplate) {
	c.x.str("launchTemplateId", t.ID)
	c.x.str("launchTemplateName", t.Name)
	c.x.time("createTime", t.Created)
	c.x.str("createdBy", t.Creator)
	c.x.num("defaultVersionNumber", t.Default)
	c.x.num("latestVersionNumber", t.Latest)
	c.writeTags(t.Tags)
}

func (c *call) namedTemplate() (*LaunchTemplate, *Error) {
	return c.template(c.in.str("LaunchTemplateId"), c.in.str("LaunchTemplateName"))
}

func (c *call) createTemplateVersion() *Error {
	old, err := c.namedTemplate()
	if err != nil {
		return err
	}
	var from *TemplateVersion
	if s := c.in.str("SourceVersion"); s != "" {
		if from, err = old.version(s); err != nil {
			return err
		}
	}
	if len(old.Versions) >= maxTemplateVersions {
		return errorf("VersionLimitExceeded", "A launch template of this endpoint has at most %d versions", maxTemplateVersions)
	}
	t := *old
	t.Latest++
	v, err := c.newVersion(t.Latest, from)
	if err != nil {
		return err
	}
	t.Versions = append(slices.Clone(old.Versions), v)
	c.s.templates.put(&t)
	c.x.group("launchTemplateVersion", func() { c.writeVersion(&t, &v) })
	return nil
}

func (c *call) writeVersion(t *LaunchTemplate, v *TemplateVersion) {
	c.x.str("launchTemplateId", t.ID)
	c.x.str("launchTemplateName", t.Name)
	c.x.num("versionNumber", v.Number)
	c.x.opt("versionDescription", v.Description)
	c.x.time("createTime", v.Created)
	c.x.str("createdBy", v.Creator)
	c.x.yes("defaultVersion", v.Number == t.Default)
	c.x.group("launchTemplateData", func() {
		c.writeData(unflatten(c.v.wire[serviceEC2]["CreateLaunchTemplate"].in.members["LaunchTemplateData"].shape, v.Data), "")
	})
}

// dataName is the name that a member of LaunchTemplateData has in answers, where that is
// not its own in small letters. in is the member that it is in.
func dataName(in, name string) string {
	switch name {
	case "NetworkInterface", "BlockDeviceMapping", "TagSpecification", "SecurityGroup", "ElasticGpuSpecification", "LicenseSpecification":
		return lowerFirst(name) + "Set"
	case "ElasticInferenceAccelerator":
		return "elasticInferenceAcceleratorSet"
	case "SecurityGroupId":
		if in == "NetworkInterface" {
			return "groupSet"
		}
		return "securityGroupIdSet"
	case "PrivateIpAddresses", "Ipv6Addresses":
		return lowerFirst(name) + "Set"
	case "Tag":
		return "tagSet"
	}
	return lowerFirst(name)
}

// writeData writes the members of LaunchTemplateData as answers have them.
func (c *call) writeData(n *node, in string) {
	for _, name := range n.shape.names {
		kid := n.kids[name]
		if kid == nil {
			continue
		}
		out := dataName(in, name)
		switch kid.shape.kind {
		case kindStruct:
			c.x.group(out, func() { c.writeData(kid, name) })
		case kindList:
			item := c.x.item
			if out == "groupSet" {
				item = "groupId"
			}
			c.x.open(out)
			for _, i := range kid.order() {
				if e := kid.items[i]; e.shape.kind == kindStruct {
					c.x.group(c.x.item, func() { c.writeData(e, name) })
				} else {
					c.x.str(item, e.text)
				}
			}
			c.x.close(out)
		default:
			c.x.str(out, kid.text)
		}
	}
}

func (c *call) modifyTemplate() *Error {
	old, err := c.namedTemplate()
	if err != nil {
		return err
	}
	t := *old
	if s := c.in.str("SetDefaultVersion"); s != "" {
		v, err := old.version(s)
		if err != nil {
			return err
		}
		t.Default = v.Number
	}
	c.s.templates.put(&t)
	c.x.group("launchTemplate", func() { c.writeTemplate(&t) })
	return nil
}

func (c *call) deleteTemplate() *Error {
	t, err := c.namedTemplate()
	if err != nil {
		return err
	}
	c.s.templates.del(t.ID)
	c.x.group("launchTemplate", func() { c.writeTemplate(t) })
	return nil
}

func (c *call) deleteTemplateVersions() *Error {
	old, err := c.namedTemplate()
	if err != nil {
		return err
	}
	t := *old
	t.Versions = slices.Clone(old.Versions)
	type result struct {
		number int
		fault  string
	}
	var good, bad []result
	for _, text := range c.in.strs("LaunchTemplateVersion") {
		v, err := t.version(text)
		n, _ := strconv.Atoi(text)
		switch {
		case err != nil:
			bad = append(bad, result{n, "launchTemplateVersionDoesNotExist"})
		case v.Number == t.Default:
			bad = append(bad, result{v.Number, "unexpectedError"})
		default:
			good = append(good, result{v.Number, ""})
			t.Versions = slices.DeleteFunc(t.Versions, func(o TemplateVersion) bool { return o.Number == v.Number })
		}
	}
	c.s.templates.put(&t)
	write := func(r result) {
		c.x.str("launchTemplateId", t.ID)
		c.x.str("launchTemplateName", t.Name)
		c.x.num("versionNumber", r.number)
		if r.fault != "" {
			c.x.group("responseError", func() {
				c.x.str("code", r.fault)
				c.x.str("message", "The version is not there, or it is the default version")
			})
		}
	}
	eachXML(c.x, "successfullyDeletedLaunchTemplateVersionSet", good, write)
	eachXML(c.x, "unsuccessfullyDeletedLaunchTemplateVersionSet", bad, write)
	return nil
}

func (c *call) describeTemplates() *Error {
	for _, id := range c.in.strs("LaunchTemplateId") {
		if _, err := c.template(id, ""); err != nil {
			return err
		}
	}
	names := c.in.strs("LaunchTemplateName")
	for _, n := range names {
		if _, err := c.template("", n); err != nil {
			return err
		}
	}
	list, err := pick(c, c.s.templates, ids{param: "LaunchTemplateId", prefix: "lt-", notFound: "InvalidLaunchTemplateId.NotFound", what: "launch template"}, func(t *LaunchTemplate, name string) ([]string, bool) {
		switch name {
		case "create-time":
			return one(t.Created.Format("2006-01-02T15:04:05.000Z")), true
		case "launch-template-name":
			return one(t.Name), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	if len(names) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(t *LaunchTemplate) bool { return !slices.Contains(names, t.Name) })
	}
	list, next, err := page(c, list, func(t *LaunchTemplate) uint64 { return t.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "launchTemplates", list, c.writeTemplate)
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) describeTemplateVersions() *Error {
	type row struct {
		t *LaunchTemplate
		v *TemplateVersion
	}
	var rows []row
	want := c.in.strs("LaunchTemplateVersion")
	if c.in.has("LaunchTemplateId") || c.in.has("LaunchTemplateName") {
		t, err := c.namedTemplate()
		if err != nil {
			return err
		}
		for _, text := range want {
			v, err := t.version(text)
			if err != nil {
				return err
			}
			rows = append(rows, row{t, v})
		}
		low, _ := strconv.Atoi(c.in.str("MinVersion"))
		top, _ := strconv.Atoi(c.in.str("MaxVersion"))
		for i := range t.Versions {
			if v := &t.Versions[i]; len(want) == 0 && v.Number >= low && (top == 0 || v.Number <= top) {
				rows = append(rows, row{t, v})
			}
		}
	} else {
		for _, t := range c.s.templates.all() {
			for _, text := range want {
				if v, err := t.version(text); err == nil {
					rows = append(rows, row{t, v})
				}
			}
		}
		if len(want) == 0 {
			return errorf("MissingParameter", "Either a launch template or versions $Latest or $Default must be given")
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return b.v.Number - a.v.Number })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.t.ID == b.t.ID && a.v.Number == b.v.Number })
	seq := map[*TemplateVersion]uint64{}
	for i, r := range rows {
		seq[r.v] = uint64(i + 1)
	}
	rows, next, err := page(c, rows, func(r row) uint64 { return seq[r.v] })
	if err != nil {
		return err
	}
	eachXML(c.x, "launchTemplateVersionSet", rows, func(r row) { c.writeVersion(r.t, r.v) })
	c.x.opt("nextToken", next)
	return nil
}

// fromTemplate gives the call the parameters of its launch template, where it does not
// have its own. It returns the template.
func (c *call) fromTemplate(spec *node) (*LaunchTemplate, *TemplateVersion, *Error) {
	t, err := c.template(spec.str("LaunchTemplateId"), spec.str("LaunchTemplateName"))
	if err != nil {
		return nil, nil, err
	}
	v, err := t.version(spec.str("Version"))
	if err != nil {
		return nil, nil, err
	}
	n := unflatten(c.in.shape, v.Data)
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	maps.Copy(n.kids, c.in.kids)
	c.in = n
	return t, v, nil
}
