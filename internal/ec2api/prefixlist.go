package ec2api

import (
	"slices"
)

func (c *call) wantedLists(param string) ([]*managedList, *Error) {
	list := c.s.managedLists()
	if want := c.in.strs(param); len(want) > 0 {
		for _, id := range want {
			if !slices.ContainsFunc(list, func(l *managedList) bool { return l.id == id }) {
				return nil, errorf("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", clip(id))
			}
		}
		list = slices.DeleteFunc(list, func(l *managedList) bool { return !slices.Contains(want, l.id) })
	}
	return filter(c, list, func(l *managedList, name string) ([]string, bool) {
		switch name {
		case "owner-id":
			return one("AWS"), true
		case "prefix-list-id":
			return one(l.id), true
		case "prefix-list-name":
			return one(l.name), true
		}
		return nil, false
	})
}

func (c *call) describeManagedLists() *Error {
	list, err := c.wantedLists("PrefixListId")
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "prefixListSet", list, func(l *managedList) {
		x.str("prefixListId", l.id)
		x.str("addressFamily", "IPv4")
		x.str("state", "create-complete")
		x.str("prefixListArn", "arn:aws:ec2:"+c.s.meta.Region+":aws:prefix-list/"+l.id)
		x.str("prefixListName", l.name)
		x.str("ownerId", "AWS")
		c.writeTags(nil)
	})
	return nil
}

func (c *call) describeLists() *Error {
	list, err := c.wantedLists("PrefixListId")
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "prefixListSet", list, func(l *managedList) {
		x.str("prefixListId", l.id)
		x.str("prefixListName", l.name)
		var texts []string
		for _, p := range l.entries {
			texts = append(texts, p.String())
		}
		x.strs("cidrSet", texts)
	})
	return nil
}

func (c *call) listEntries() *Error {
	entries, ok := c.s.prefixLists()[c.in.str("PrefixListId")]
	if !ok {
		return errorf("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", clip(c.in.str("PrefixListId")))
	}
	x := c.x
	x.open("entrySet")
	for _, p := range entries {
		x.group("item", func() { x.str("cidr", p.String()) })
	}
	x.close("entrySet")
	return nil
}
