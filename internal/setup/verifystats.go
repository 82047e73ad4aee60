package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// MaxSensorStats bounds the statistics of a sensor that are read, in bytes: twenty
// thousand rows of sources.
const MaxSensorStats = 64 << 20

// SensorStats is what verify and coverage need of a sensor's statistics: the answer of
// /api/v1/stats of its management listener, with the names it has there.
type SensorStats struct {
	Started time.Time `json:"started"`
	Uptime  float64   `json:"uptime_seconds"`
	Status  struct {
		OK     bool   `json:"ok"`
		State  string `json:"state"`
		Detail string `json:"detail"`
	} `json:"status"`
	Ledger struct {
		Received  uint64 `json:"received"`
		Processed uint64 `json:"processed"`
		Dropped   uint64 `json:"dropped"`
		Kernel    uint64 `json:"kernel_drops"`
		Truncated uint64 `json:"truncated"`
		Drops     []struct {
			Reason string `json:"reason"`
			Frames uint64 `json:"frames"`
		} `json:"drops"`
	} `json:"ledger"`
	Sources []SensorSource `json:"sources"`
	// SourceCount is how many sources there are; Sources may list fewer.
	SourceCount int `json:"source_count"`
	// Turn grows when the sensor has taken its counters anew; 0: it does not tell.
	Turn uint64 `json:"turn"`
}

// SensorSource is the sensor's account of one outer address and VNI.
type SensorSource struct {
	Outer     string    `json:"outer"`
	VNI       uint32    `json:"vni"`
	SessionID string    `json:"session_id"`
	ENI       string    `json:"eni"`
	Packets   uint64    `json:"packets"`
	Bytes     uint64    `json:"bytes"`
	Truncated uint64    `json:"truncated"`
	Last      time.Time `json:"last_seen"`
	Probe     *struct {
		Token string `json:"token"`
		Count uint64 `json:"count"`
	} `json:"probe"`
}

// SettleTurns is how many turns after a look at a sensor everything that it had received
// before that look is counted: one that was under way, and one after it.
const SettleTurns = 2

// addr returns the outer address; the zero Addr for the row of all other sources.
func (s *SensorSource) addr() netip.Addr {
	a, err := netip.ParseAddr(s.Outer)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// ParseSensorStats reads the statistics of a sensor; name stands for the file in errors.
func ParseSensorStats(b []byte, name string) (*SensorStats, error) {
	if len(b) > MaxSensorStats {
		return nil, fmt.Errorf("%s: more than %d bytes", name, MaxSensorStats)
	}
	// A file of something else would read as a sensor that saw nothing.
	var has struct {
		Ledger  json.RawMessage `json:"ledger"`
		Sources json.RawMessage `json:"sources"`
	}
	err := json.Unmarshal(b, &has)
	if err == nil && (has.Ledger == nil || has.Sources == nil) {
		err = errors.New("no ledger and sources: not the answer of /api/v1/stats")
	}
	s := &SensorStats{}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// at returns when the statistics were made, or the zero time when they do not tell.
func (s *SensorStats) at() time.Time {
	if s.Started.IsZero() {
		return time.Time{}
	}
	return s.Started.Add(time.Duration(s.Uptime * float64(time.Second)))
}

// Times returns the time between both looks at the sensor, or what is given when the
// statistics do not tell.
func (s *Sample) Times(start, end time.Time) (time.Time, time.Time) {
	if s.Before == nil || s.Before.at().IsZero() || !s.Before.at().Before(s.Now.at()) {
		return start, end
	}
	return s.Before.at(), s.Now.at()
}
