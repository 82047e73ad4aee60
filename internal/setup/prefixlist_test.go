package setup_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// A security group may let a prefix list in: what the list has decides, for preflight and for
// verify, and so do the entries of a list that a route leads by.
func TestPrefixLists(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	list, err := w.ec2.CreateManagedPrefixList(t.Context(), &ec2.CreateManagedPrefixListInput{PrefixListName: aws.String("sources"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(5),
		Entries: []types.AddPrefixListEntry{{Cidr: aws.String("10.0.0.0/20")}, {Cidr: aws.String("192.0.2.0/24")}}})
	w.ok(err)
	id := *list.PrefixList.PrefixListId
	w.ok(w.clock.pause(t.Context(), 1e9))
	s := w.spec(tagged + "security_group: {sources: [" + id + "]}\n")
	preflight := func() (bad []string) {
		t.Helper()
		list, err := setup.Preflight(t.Context(), w.client(), s)
		w.ok(err)
		for _, f := range list {
			if f.Level == setup.Error {
				bad = append(bad, f.Code)
			}
		}
		return bad
	}
	if bad := preflight(); len(bad) > 0 {
		t.Errorf("findings %v", bad)
	}
	w.apply(s)
	o := w.observe(s)
	if got := o.PrefixLists[id]; len(got) != 2 {
		t.Errorf("%s has %v", id, got)
	}
	verdict := func(want setup.VerdictState, hop setup.Hop) {
		t.Helper()
		if v := w.verify(s, setup.VerifyOptions{}); len(v.Sessions) != 1 || v.Sessions[0].State != want || v.Sessions[0].Hop != hop {
			t.Errorf("%+v, want %s at %s", v.Sessions, want, hop)
		}
	}
	verdict(setup.StateClear, "")
	_, err = w.ec2.ModifyManagedPrefixList(t.Context(), &ec2.ModifyManagedPrefixListInput{PrefixListId: &id, CurrentVersion: list.PrefixList.Version, RemoveEntries: []types.RemovePrefixListEntry{{Cidr: aws.String("10.0.0.0/20")}}})
	w.ok(err)
	verdict(setup.StateLost, setup.HopGroup)
	if bad := preflight(); !strings.Contains(strings.Join(bad, " "), "group") {
		t.Errorf("findings %v", bad)
	}
}
