package snmp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/snmp"
)

// Each bound is met, and counted.
func TestLimits(t *testing.T) {
	pair := el(0x30, el(6, "\x2b\x06"), el(5))
	for n, met := range map[int]uint64{snmp.MaxVars - 1: 0, snmp.MaxVars + 1: 1} {
		r := run(t, community(1, el(0xa0, num(1), num(0), num(0), el(0x30, strings.Repeat(pair, n)))))
		if got := r.Hits(t, "snmp", "variables"); got != met {
			t.Errorf("%d variables: counted %d times", n, got)
		}
		if got := len(r.Records[0].Tx.(*snmp.Tx).Vars); got != min(n, snmp.MaxVars) {
			t.Errorf("%d of %d variables are kept", got, n)
		}
	}
	// A name that is too long makes no message.
	for n, records := range map[int]int{snmp.MaxOID: 1, snmp.MaxOID + 1: 0} {
		r := run(t, community(1, el(0xa0, num(1), num(0), num(0), el(0x30, el(0x30, el(6, strings.Repeat("\x01", n)), el(5))))))
		if len(r.Records) != records {
			t.Errorf("a name of %d octets: %d records", n, len(r.Records))
		}
	}
}
