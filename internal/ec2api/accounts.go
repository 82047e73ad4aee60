package ec2api

import (
	"maps"
	"slices"

	"mirador/internal/mirror"
)

// account is one account of the endpoint: its state, and what describes that lag see of
// it. Accounts see nothing of each other but what they share.
type account struct {
	s    *state
	past []pastState // oldest first, only with a lag
}

// account returns the account with this id, or nil; no id means the first one, that of
// Options.AccountID.
func (v *Server) account(id string) *account {
	if id == "" {
		return v.accounts[0]
	}
	for _, a := range v.accounts {
		if a.s.meta.AccountID == id {
			return a
		}
	}
	return nil
}

// addAccounts begins the states of accounts that have keys and were not in the state file.
func (v *Server) addAccounts() error {
	for _, id := range slices.Sorted(maps.Values(v.o.Accounts)) {
		if v.account(id) != nil {
			continue
		}
		s, err := v.beginState(id)
		if err != nil {
			return err
		}
		v.accounts = append(v.accounts, &account{s: s})
	}
	return nil
}

// beginState makes what a new account has.
func (v *Server) beginState(id string) (*state, error) {
	s := newState(meta{Region: v.o.Region, AccountID: id}, v.o.Random)
	s.meta.PageKey = make([]byte, 16)
	s.rand(s.meta.PageKey)
	var err error
	if s.book, err = mirror.NewBook(v.bookOptions(id), mirror.BookState{}); err != nil {
		return nil, err
	}
	if !v.o.NoDefaultVPC {
		s.createDefaultVPC(v.o.Now())
	}
	s.changed = true
	s.commit()
	return s, nil
}

// rollback takes back what the action that runs has done, in all accounts.
func (v *Server) rollback() {
	for _, a := range v.accounts {
		a.s.rollback()
	}
}

// commit makes the action that ran final, in all accounts. The generation of the first
// account counts the changes of all. It tells whether there were any.
func (v *Server) commit() (changed bool) {
	for i, a := range v.accounts {
		own := a.s.changed || len(a.s.gone) > 0
		a.s.commit()
		if own && i > 0 {
			v.s.gen++
		}
		changed = changed || own
	}
	return changed
}

// others are the states of the accounts beside the first, for the state file.
func (v *Server) others() []*state {
	var out []*state
	for _, a := range v.accounts[1:] {
		out = append(out, a.s)
	}
	return out
}

// merged is what the data plane sees: the resources of all accounts. A session to a target
// that is no longer shared with its owner is not there: it is inactive.
func (v *Server) merged(before *Snapshot) *Snapshot {
	if len(v.accounts) == 1 {
		return v.s.snapshot(before)
	}
	out := v.s.snapshot(nil)
	out.Mirroring = v.activeMirroring(v.s, out.Mirroring)
	for _, a := range v.accounts[1:] {
		x := a.s.snapshot(nil)
		maps.Copy(out.VPCs, x.VPCs)
		maps.Copy(out.Subnets, x.Subnets)
		maps.Copy(out.SecurityGroups, x.SecurityGroups)
		maps.Copy(out.NetworkACLs, x.NetworkACLs)
		maps.Copy(out.RouteTables, x.RouteTables)
		maps.Copy(out.InternetGateways, x.InternetGateways)
		maps.Copy(out.Interfaces, x.Interfaces)
		maps.Copy(out.Instances, x.Instances)
		maps.Copy(out.LoadBalancers, x.LoadBalancers)
		maps.Copy(out.TargetGroups, x.TargetGroups)
		maps.Copy(out.Listeners, x.Listeners)
		maps.Copy(out.EndpointServices, x.EndpointServices)
		maps.Copy(out.VPCEndpoints, x.VPCEndpoints)
		maps.Copy(out.Peerings, x.Peerings)
		maps.Copy(out.PrefixLists, x.PrefixLists)
		m := v.activeMirroring(a.s, x.Mirroring)
		out.Mirroring.Targets = append(out.Mirroring.Targets, m.Targets...)
		out.Mirroring.Filters = append(out.Mirroring.Filters, m.Filters...)
		out.Mirroring.Sessions = append(out.Mirroring.Sessions, m.Sessions...)
	}
	return out
}

func (v *Server) activeMirroring(s *state, m mirror.BookState) mirror.BookState {
	w := network{v, s}
	m.Sessions = slices.DeleteFunc(slices.Clone(m.Sessions), func(x mirror.Session) bool {
		if _, own := s.book.Target(x.TargetID); own {
			return false
		}
		_, shared := w.SharedTarget(x.TargetID)
		return !shared
	})
	return m
}

// anyVPC finds a VPC of any account: the other side of a peering connection.
func (c *call) anyVPC(id string) *VPC {
	for _, a := range c.v.accounts {
		if x := a.s.vpcs.get(id); x != nil {
			return x
		}
	}
	return nil
}

// anyQueue finds a queue of any account by its ARN.
func (v *Server) anyQueue(arn string) *Queue {
	for _, a := range v.accounts {
		if q := a.s.queues.get(arn); q != nil {
			return q
		}
	}
	return nil
}
