package ec2api

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

func prefixListActions() []action {
	const none = "InvalidPrefixListID.NotFound"
	return []action{
		write("CreateManagedPrefixList", (*call).createList, "PrefixListMaxEntriesExceeded", "IdempotentParameterMismatch"),
		write("ModifyManagedPrefixList", (*call).modifyList, none, "PrefixListVersionMismatch", "PrefixListMaxEntriesExceeded"),
		write("DeleteManagedPrefixList", (*call).deleteList, none, "DependencyViolation"),
		read("DescribeManagedPrefixLists", (*call).describeManagedLists, none),
		read("GetManagedPrefixListEntries", (*call).listEntries, none),
		read("GetManagedPrefixListAssociations", (*call).listAssociations, none),
		read("DescribePrefixLists", (*call).describeLists, none),
	}
}

// PrefixEntry is an entry of a prefix list.
type PrefixEntry struct {
	CIDR        netip.Prefix `json:"cidr"`
	Description string       `json:"description,omitempty"`
}

// PrefixList is a managed prefix list: AWS's or the account's.
type PrefixList struct {
	Resource
	Name    string        `json:"name"`
	Family  string        `json:"family"` // IPv4, IPv6
	Most    int           `json:"maxEntries"`
	Version int           `json:"version"`
	State   string        `json:"state"` // create-complete, modify-complete
	Entries []PrefixEntry `json:"entries,omitempty"`
}

// maxListEntries is how many entries a prefix list can have (AWS: Amazon VPC quotas).
const maxListEntries = 1000

// awsLists are the lists that AWS has in every region, with addresses that are nobody's.
func (s *state) awsLists() []*PrefixList {
	base := "com.amazonaws." + s.meta.Region + "."
	var out []*PrefixList
	for _, l := range [][2]string{{base + "s3", "192.0.2.0/25"}, {base + "dynamodb", "192.0.2.128/25"}} {
		out = append(out, &PrefixList{
			Resource: Resource{ID: "pl-" + nameID("", l[0])[:8], OwnerID: "AWS"}, Name: l[0], Family: "IPv4", State: "create-complete", Entries: []PrefixEntry{{CIDR: netip.MustParsePrefix(l[1])}},
		})
	}
	return out
}

func (s *state) managedLists() []*PrefixList { return append(s.awsLists(), s.lists.all()...) }

// prefixLists are all lists by id, as routes and groups use them.
func (s *state) prefixLists() mirror.PrefixLists {
	out := mirror.PrefixLists{}
	for _, l := range s.managedLists() {
		list := []netip.Prefix{}
		for _, e := range l.Entries {
			list = append(list, e.CIDR)
		}
		out[l.ID] = list
	}
	return out
}

func (c *call) listByID(id string) (*PrefixList, *Error) {
	for _, l := range c.s.managedLists() {
		if l.ID == id {
			return l, nil
		}
	}
	return nil, errorf("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", clip(id))
}

// ownList is listByID for what the account may change.
func (c *call) ownList(id string) (*PrefixList, *Error) {
	l, err := c.listByID(id)
	if err == nil && l.OwnerID == "AWS" {
		return nil, errorf("UnauthorizedOperation", "You are not authorized to perform this operation.")
	}
	return l, err
}

// readEntries reads entries of one family to add.
func readEntries(nodes []*node, family string) ([]PrefixEntry, *Error) {
	var out []PrefixEntry
	for _, n := range nodes {
		p, err := netip.ParsePrefix(n.str("Cidr"))
		if err != nil || p.Addr().Is4() != (family == "IPv4") {
			return nil, errorf("InvalidParameterValue", "The CIDR '%s' is invalid.", clip(n.str("Cidr")))
		}
		out = append(out, PrefixEntry{p.Masked(), n.str("Description")})
	}
	return out, nil
}

// setEntries gives l more entries; one that it has gets the new description.
func (l *PrefixList) setEntries(add []PrefixEntry) *Error {
	l.Entries = slices.Clone(l.Entries)
	for _, e := range add {
		if i := slices.IndexFunc(l.Entries, func(o PrefixEntry) bool { return o.CIDR == e.CIDR }); i >= 0 {
			l.Entries[i] = e
		} else {
			l.Entries = append(l.Entries, e)
		}
	}
	if len(l.Entries) > l.Most {
		return errorf("PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list.")
	}
	return nil
}

func (c *call) createList() *Error {
	l, err := create(c, c.s.lists, "prefix-list", c.newList)
	if err != nil {
		return err
	}
	c.x.group("prefixList", func() { c.writeList(l, "create-in-progress") })
	return nil
}

func (c *call) newList(tags []mirror.Tag) (*PrefixList, *Error) {
	in := c.in
	family := in.str("AddressFamily")
	switch most := in.num("MaxEntries", 0); {
	case family != "IPv4" && family != "IPv6":
		return nil, errorf("InvalidParameterValue", "Value (%s) for parameter addressFamily is invalid.", clip(family))
	case most < 1 || most > maxListEntries:
		return nil, errorf("InvalidParameterValue", "Value (%d) for parameter maxEntries is invalid.", most)
	case strings.HasPrefix(in.str("PrefixListName"), "com.amazonaws"):
		return nil, errorf("InvalidParameterValue", "The name cannot start with com.amazonaws")
	}
	l := &PrefixList{Resource: c.s.res(c.s.newID("pl-"), c.now, tags), Name: in.str("PrefixListName"), Family: family, Most: in.num("MaxEntries", 0), Version: 1, State: "create-complete"}
	add, err := readEntries(in.list("Entry"), family)
	if err != nil {
		return nil, err
	}
	return l, l.setEntries(add)
}

func (c *call) modifyList() *Error {
	in := c.in
	old, err := c.ownList(in.str("PrefixListId"))
	if err != nil {
		return err
	}
	entries := in.has("AddEntry") || in.has("RemoveEntry")
	switch {
	case in.has("CurrentVersion") && in.num("CurrentVersion", 0) != old.Version:
		return errorf("PrefixListVersionMismatch", "The prefix list has the version %d.", old.Version)
	case in.has("MaxEntries") && (entries || in.num("MaxEntries", 0) < len(old.Entries) || in.num("MaxEntries", 0) > maxListEntries):
		return errorf("InvalidParameterValue", "MaxEntries cannot be below the number of entries, and not be changed together with entries")
	}
	l := *old
	l.Name, l.Most, l.State = in.or("PrefixListName", l.Name), in.num("MaxEntries", l.Most), "modify-complete"
	gone, err := readEntries(in.list("RemoveEntry"), l.Family)
	if err != nil {
		return err
	}
	for _, e := range gone {
		if !slices.ContainsFunc(l.Entries, func(o PrefixEntry) bool { return o.CIDR == e.CIDR }) {
			return errorf("InvalidParameterValue", "The entry %s is not in the prefix list", e.CIDR)
		}
	}
	l.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(o PrefixEntry) bool {
		return slices.ContainsFunc(gone, func(e PrefixEntry) bool { return e.CIDR == o.CIDR })
	})
	add, err := readEntries(in.list("AddEntry"), l.Family)
	if err != nil {
		return err
	}
	if err := l.setEntries(add); err != nil {
		return err
	}
	if entries {
		l.Version++
	}
	c.s.lists.put(&l)
	c.x.group("prefixList", func() { c.writeList(&l, "modify-in-progress") })
	return nil
}

// usersOf are the route tables and security groups that use a list.
func (s *state) usersOf(list string) []string {
	var out []string
	for _, t := range s.routeTables.all() {
		if slices.ContainsFunc(t.Routes, func(r Route) bool { return r.PrefixListID == list }) {
			out = append(out, t.ID)
		}
	}
	for _, g := range s.groups.all() {
		if slices.ContainsFunc(g.Rules, func(r GroupRule) bool { return r.PrefixListID == list }) {
			out = append(out, g.ID)
		}
	}
	return out
}

func (c *call) deleteList() *Error {
	l, err := c.ownList(c.in.str("PrefixListId"))
	if err != nil {
		return err
	}
	if users := c.s.usersOf(l.ID); len(users) > 0 {
		return errorf("DependencyViolation", "The prefix list '%s' is in use by %s.", l.ID, users[0])
	}
	c.s.lists.del(l.ID)
	c.x.group("prefixList", func() { c.writeList(l, "delete-in-progress") })
	return nil
}

func (c *call) wantedLists() ([]*PrefixList, *Error) {
	list := c.s.managedLists()
	if want := c.in.strs("PrefixListId"); len(want) > 0 {
		for _, id := range want {
			if _, err := c.listByID(id); err != nil {
				return nil, err
			}
		}
		list = slices.DeleteFunc(list, func(l *PrefixList) bool { return !slices.Contains(want, l.ID) })
	}
	return filter(c, list, func(l *PrefixList, name string) ([]string, bool) {
		switch name {
		case "owner-id":
			return one(l.OwnerID), true
		case "prefix-list-id":
			return one(l.ID), true
		case "prefix-list-name":
			return one(l.Name), true
		}
		return l.filterTags(name)
	})
}

func (c *call) writeList(l *PrefixList, state string) {
	x := c.x
	x.str("prefixListId", l.ID)
	x.str("addressFamily", l.Family)
	x.str("state", state)
	x.str("prefixListArn", "arn:aws:ec2:"+c.s.meta.Region+":"+strings.ToLower(l.OwnerID)+":prefix-list/"+l.ID)
	x.str("prefixListName", l.Name)
	if l.Most > 0 {
		x.num("maxEntries", l.Most)
		x.num("version", l.Version)
	}
	x.str("ownerId", l.OwnerID)
	c.writeTags(l.Tags)
}

func (c *call) describeManagedLists() *Error {
	list, err := c.wantedLists()
	if err != nil {
		return err
	}
	list, next, err := page(c, list, listSeq)
	if err != nil {
		return err
	}
	eachXML(c.x, "prefixListSet", list, func(l *PrefixList) { c.writeList(l, l.State) })
	c.x.opt("nextToken", next)
	return nil
}

// listSeq orders lists for pages: AWS's two come first.
func listSeq(l *PrefixList) uint64 {
	switch {
	case l.Seq > 0:
		return l.Seq + 2
	case strings.HasSuffix(l.Name, ".s3"):
		return 1
	}
	return 2
}

func (c *call) describeLists() *Error {
	list, err := c.wantedLists()
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "prefixListSet", list, func(l *PrefixList) {
		x.str("prefixListId", l.ID)
		x.str("prefixListName", l.Name)
		var texts []string
		for _, e := range l.Entries {
			texts = append(texts, e.CIDR.String())
		}
		x.strs("cidrSet", texts)
	})
	return nil
}

func (c *call) listEntries() *Error {
	l, err := c.listByID(c.in.str("PrefixListId"))
	if err != nil {
		return err
	}
	if want := c.in.num("TargetVersion", l.Version); want != l.Version {
		return errorf("InvalidParameterValue", "The version %s is not kept by this endpoint; there is %d", strconv.Itoa(want), l.Version)
	}
	at := map[PrefixEntry]uint64{}
	for i, e := range l.Entries {
		at[e] = uint64(i + 1)
	}
	list, next, err := page(c, l.Entries, func(e PrefixEntry) uint64 { return at[e] })
	if err != nil {
		return err
	}
	eachXML(c.x, "entrySet", list, func(e PrefixEntry) {
		c.x.str("cidr", e.CIDR.String())
		c.x.opt("description", e.Description)
	})
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) listAssociations() *Error {
	l, err := c.listByID(c.in.str("PrefixListId"))
	if err != nil {
		return err
	}
	eachXML(c.x, "prefixListAssociationSet", c.s.usersOf(l.ID), func(id string) {
		c.x.str("resourceId", id)
		c.x.str("resourceOwner", c.s.meta.AccountID)
	})
	return nil
}
