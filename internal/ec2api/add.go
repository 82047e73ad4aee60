package ec2api

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"mirador/internal/mirror"
)

// Add puts objects into the endpoint in one step, with the ids that they have: those of a
// topology file, or of another account. An object whose id is there already stays as it
// is. Add checks what would break the endpoint (addresses that are taken, mirroring
// objects that refer to nothing), not what AWS would refuse. It returns how many objects
// are new; with an error none is.
func (v *Server) Add(o *Snapshot) (added int, err error) {
	gen, added, err := v.add(o)
	if err != nil || added == 0 {
		return 0, err
	}
	return added, v.sync(gen)
}

func (v *Server) add(o *Snapshot) (gen uint64, added int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.s
	done := false
	defer func() {
		if !done {
			s.rollback()
		}
	}()
	count := addAll(s, s.vpcs, o.VPCs) + addAll(s, s.subnets, o.Subnets) + addAll(s, s.groups, o.SecurityGroups) +
		addAll(s, s.acls, o.NetworkACLs) + addAll(s, s.routeTables, o.RouteTables) + addAll(s, s.gateways, o.InternetGateways) +
		addAll(s, s.instances, o.Instances) + addAll(s, s.balancers, o.LoadBalancers) + addAll(s, s.targetGroups, o.TargetGroups) +
		addAll(s, s.listeners, o.Listeners) + addAll(s, s.services, o.EndpointServices) + addAll(s, s.endpoints, o.VPCEndpoints)
	n, err := s.addInterfaces(o.Interfaces)
	if err != nil {
		return 0, 0, err
	}
	count += n
	book, n, err := v.addMirroring(o.Mirroring)
	if err != nil {
		return 0, 0, err
	}
	count += n
	done = true
	if count == 0 {
		s.commit()
		return s.gen, 0, nil
	}
	if n > 0 {
		s.book = book
		s.touchBook()
	}
	s.changed = true
	s.commit()
	select {
	case v.changed <- struct{}{}:
	default:
	}
	return s.gen, count, nil
}

// addAll adds copies of the resources of m that t does not have, oldest first.
func addAll[T any, P interface {
	*T
	resource() *Resource
}](s *state, t *table[T, P], m map[string]*T) (added int) {
	for _, id := range inOrder[T, P](m) {
		if t.get(id) != nil {
			continue
		}
		x := *m[id]
		s.seq++
		P(&x).resource().Seq = s.seq
		t.put(&x)
		added++
	}
	return added
}

func inOrder[T any, P interface {
	*T
	resource() *Resource
}](m map[string]*T) []string {
	ids := slices.Collect(maps.Keys(m))
	slices.SortFunc(ids, func(a, b string) int {
		x, y := P(m[a]).resource(), P(m[b]).resource()
		return cmp.Or(cmp.Compare(x.Seq, y.Seq), x.Created.Compare(y.Created), cmp.Compare(a, b))
	})
	return ids
}

func (s *state) addInterfaces(m map[string]*NetworkInterface) (added int, err error) {
	for _, id := range inOrder[NetworkInterface](m) {
		if s.enis.get(id) != nil {
			continue
		}
		x := *m[id]
		if s.subnets.get(x.Subnet) == nil {
			return 0, fmt.Errorf("interface %s: no subnet %s", id, x.Subnet)
		}
		for _, a := range append(slices.Clone(x.Addrs), x.IPv6...) {
			if by := s.addrs[x.Subnet][a]; by != "" {
				return 0, fmt.Errorf("interface %s: %s belongs to %s", id, a, by)
			}
		}
		s.seq++
		x.Seq = s.seq
		s.putENI(&x)
		added++
	}
	return added, nil
}

// addMirroring makes the book with what it has and what is new in b.
func (v *Server) addMirroring(b mirror.BookState) (*mirror.Book, int, error) {
	have := v.s.book.State()
	added := 0
	for _, t := range b.Targets {
		if !v.s.book.Has(t.ID) {
			have.Targets = append(have.Targets, t)
			added++
		}
	}
	for _, f := range b.Filters {
		if !v.s.book.Has(f.ID) {
			have.Filters = append(have.Filters, f)
			added++
		}
	}
	for _, x := range b.Sessions {
		if !v.s.book.Has(x.ID) {
			have.Sessions = append(have.Sessions, x)
			added++
		}
	}
	if added == 0 {
		return nil, 0, nil
	}
	book, err := mirror.NewBook(v.bookOptions(v.o.AccountID), have)
	return book, added, err
}
