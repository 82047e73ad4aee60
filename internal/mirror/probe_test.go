package mirror_test

import (
	"testing"

	"mirador/internal/mirror"
)

// A probe is read as it was written; what is cut or of somebody else is none.
func TestProbe(t *testing.T) {
	want := mirror.ProbeToken{1, 2, 0xfe, 15: 9}
	b := mirror.AppendProbe(nil, want)
	if got, ok := mirror.ReadProbe(b); !ok || got != want || len(b) != mirror.ProbeLen {
		t.Fatalf("%q: %v %v", b, got, ok)
	}
	if got, ok := mirror.ReadProbe(append(b, "more"...)); !ok || got != want {
		t.Error("with a tail it is no probe")
	}
	for i := range b {
		if _, ok := mirror.ReadProbe(b[:i]); ok {
			t.Errorf("%q is a probe", b[:i])
		}
		bad := append([]byte(nil), b...)
		bad[i] = 'x'
		if _, ok := mirror.ReadProbe(bad); ok {
			t.Errorf("%q is a probe", bad)
		}
	}
	if got, err := mirror.ParseProbeToken(want.String()); err != nil || got != want {
		t.Error(got, err)
	}
	for _, s := range []string{"", "00", want.String() + "00", "zz" + want.String()[2:]} {
		if _, err := mirror.ParseProbeToken(s); err == nil {
			t.Errorf("%q is a token", s)
		}
	}
	if n := testing.AllocsPerRun(100, func() { mirror.ReadProbe(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
