package setup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// told makes the statistics of a sensor.
func told(t *testing.T, received, kernel int, drops string, rows ...string) *setup.SensorStats {
	t.Helper()
	s, err := setup.ParseSensorStats([]byte(fmt.Sprintf(`{"status":{"ok":true,"state":"ok"},"ledger":{"received":%d,"kernel_drops":%d,"drops":[%s]},"sources":[%s]}`, received, kernel, drops, strings.Join(rows, ","))), "sensor")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A probe to a target is told with the stages that it reached, by what sensors noted and
// counted.
func TestVerifyProbe(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w := newWorld(t, 2, ec2api.Options{})
			s := w.spec(k.more)
			w.apply(s)
			o := w.observe(s)
			row := func(token string) string {
				return fmt.Sprintf(`{"outer":%q,"vni":1169,"packets":3,"probe":{"token":%q,"count":3}}`, o.Interface(w.sourceIf[0]).Primary(), token)
			}
			const token = "000102030405060708090a0b0c0d0e0f"
			dropped := func(n int) string { return fmt.Sprintf(`{"reason":"source_not_allowed","frames":%d}`, n) }
			for _, c := range []struct {
				name        string
				was, now    *setup.SensorStats
				err         error
				state       setup.VerdictState
				hop         setup.Hop
				stages, say string
			}{
				{"seen", told(t, 5, 0, ""), told(t, 8, 0, "", row(token)), nil, setup.StateOK, "", "sent arrived decapsulated attributed engine", "engine of"},
				{"other token", told(t, 5, 0, ""), told(t, 8, 0, "", row(strings.Repeat("0", 32))), nil, setup.StateLost, setup.HopSensor, "sent", "not among them"},
				{"nothing", told(t, 5, 0, ""), told(t, 5, 0, ""), nil, setup.StateLost, setup.HopSensor, "sent", "received 0 since"},
				{"kernel", told(t, 5, 1, ""), told(t, 5, 9, ""), nil, setup.StateLost, setup.HopKernel, "sent", "no room for 8"},
				{"not allowed", told(t, 5, 0, dropped(2)), told(t, 8, 0, dropped(5)), nil, setup.StateLost, setup.HopEngine, "sent arrived", "source_not_allowed"},
				{"no route", told(t, 5, 0, ""), told(t, 5, 0, ""), errors.New("no route"), setup.StateLost, setup.HopSource, "", "no route"},
			} {
				v := w.verify(s, setup.VerifyOptions{Sensors: []setup.Sample{{Name: "sensor", Now: c.was}}, Probe: func(_ context.Context, to []setup.ProbeTarget) ([]setup.ProbeSent, []setup.Sample, error) {
					if k.name == "gwlb" {
						if len(to) != 0 {
							t.Errorf("%+v", to)
						}
						// Sent by a source, as nothing can be sent straight there.
						return []setup.ProbeSent{{Token: token, Packets: 3, Err: c.err}}, []setup.Sample{{Name: "sensor", Now: c.now, Probed: c.was}}, nil
					}
					if len(to) != 2 || !to[0].Addr.IsValid() || to[0].VNI != 1169 {
						t.Errorf("%+v", to)
					}
					return []setup.ProbeSent{{Token: token, Target: to[0], Packets: 3, Err: c.err}}, []setup.Sample{{Name: "sensor", Now: c.now, Probed: c.was}}, nil
				}})
				if len(v.Probes) != 1 {
					t.Fatalf("%s: %+v", c.name, v.Probes)
				}
				p := v.Probes[0]
				if p.State != c.state || p.Hop != c.hop || strings.Join(p.Stages, " ") != c.stages || !strings.Contains(p.Text, c.say) || (p.State == setup.StateLost) != (v.Worst() == setup.Error) {
					t.Errorf("%s: %+v", c.name, p)
				}
				if c.state == setup.StateOK && len(p.Session) != 1 {
					t.Errorf("%s: sessions %v", c.name, p.Session)
				}
				var b strings.Builder
				w.ok(v.WriteText(&b))
				if !strings.Contains(b.String(), token) {
					t.Errorf("%s: text\n%s", c.name, b.String())
				}
				if j, err := json.Marshal(v); err != nil || !strings.Contains(string(j), `"stages":[`) {
					t.Errorf("%s: %s %v", c.name, j, err)
				}
			}
		})
	}
}

// A token of a source that nobody noted is told, also without sensors.
func TestVerifyProbeToken(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	sent := []setup.ProbeSent{{Token: strings.Repeat("a", 32)}}
	for _, sensors := range [][]setup.Sample{nil, {{Name: "s", Now: told(t, 5, 0, "")}}} {
		v := w.verify(s, setup.VerifyOptions{Probes: slices.Clone(sent), Sensors: sensors})
		if len(v.Probes) != 1 || v.Probes[0].State != setup.StateLost || v.Probes[0].Remedy == "" {
			t.Errorf("%+v", v.Probes)
		}
	}
}

func FuzzParseSensorStats(f *testing.F) {
	f.Add([]byte(`{"ledger":{"received":5,"drops":[{"reason":"x","frames":1}]},"sources":[{"outer":"10.0.0.1","vni":7,"packets":3,"last_seen":"2026-01-02T03:04:05Z","probe":{"token":"00","count":1}}],"source_count":1,"turn":3}`))
	f.Add([]byte(`{"ledger":{},"sources":[]}`))
	f.Add([]byte(`{"ledger":null,"sources":[{"outer":"others"}]}`))
	f.Add([]byte(`{"started":"2026-01-02T03:04:05Z","uptime_seconds":1e308,"ledger":{},"sources":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := setup.ParseSensorStats(b, "fuzz")
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
		if s == nil {
			return
		}
		x := setup.Sample{Now: s, Before: s}
		x.Times(s.Started, s.Started)
		if _, err := json.Marshal(s); err != nil {
			t.Fatal(err)
		}
	})
}

// Statistics beyond the bound are refused whole.
func TestMaxSensorStats(t *testing.T) {
	b := make([]byte, setup.MaxSensorStats+1)
	for i := range b {
		b[i] = ' '
	}
	copy(b, `{"ledger":{},"sources":[]}`)
	if _, err := setup.ParseSensorStats(b, "big"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	if _, err := setup.ParseSensorStats(b[:setup.MaxSensorStats], "big"); err != nil {
		t.Error(err)
	}
}
