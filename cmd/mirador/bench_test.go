package main

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mirador/internal/capture"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/sensor"
)

// maxBenchBytes bounds the mixed capture that the benchmark holds in memory.
const maxBenchBytes = 64 << 20

// mixedMirror reads the public captures and wraps every frame in VXLAN as AWS
// does, with rising times.
func mixedMirror(b *testing.B) (frames []capture.Frame) {
	b.Helper()
	root := pkttest.Shared(b, "data", "captures")
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(filepath.Ext(path), "pcap") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	clock, size := int64(1_700_000_000e9), 0
	src, dst := [4]byte{10, 1, 1, 10}, [4]byte{10, 1, 9, 9}
	for _, path := range paths {
		r, err := capture.Open(path)
		if err != nil {
			continue
		}
		var batch capture.Batch
		first, last := int64(0), int64(0)
		for err == nil && size < maxBenchBytes {
			err = r.Read(&batch, -1)
			for i := range batch.Frames {
				f := &batch.Frames[i]
				if f.Link != packet.LinkEthernet || len(f.Data) > 9000 {
					continue
				}
				if first == 0 {
					first = f.Time
				}
				last = min(max(f.Time-first, 0), 120e9)
				data := packet.AppendEthernet(nil, [6]byte{2, 0, 0, 0, 0, 2}, [6]byte{2, 0, 0, 0, 0, 1}, packet.EtherTypeIPv4)
				data = packet.AppendMirror(data, src, dst, 0xff80, 1169, len(f.Data))
				data = append(data, f.Data...)
				size += len(data)
				frames = append(frames, capture.Frame{Data: data, WireLen: len(data), Time: clock + last, Link: packet.LinkEthernet})
			}
		}
		batch.Release()
		r.Close()
		clock += last + 1e6
	}
	if len(frames) == 0 {
		b.Fatal("no frames")
	}
	return frames
}

// BenchmarkWorker runs the whole worker (decode to EVE) on the mixed mirror
// capture with all ET Open rules, one pass an operation.
func BenchmarkWorker(b *testing.B) {
	rules := pkttest.Shared(b, "data", "etopen", "composite-2025-07.rules")
	e, err := buildEngine(&engineParams{rules: []string{rules}, sets: []string{"vars.address-groups.EXTERNAL_NET=any"}})
	if err != nil {
		b.Fatal(err)
	}
	frames := mixedMirror(b)
	bytes := 0
	for i := range frames {
		bytes += len(frames[i].Data)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	packets := 0
	for b.Loop() {
		b.StopTimer()
		o, err := e.sensorOptions()
		if err != nil {
			b.Fatal(err)
		}
		o.IgnoreChecksums, o.Stream.ChecksumValidation, o.DedupWindow = true, false, 0
		for _, out := range e.outputs.EVE {
			o.Outputs = append(o.Outputs, sensor.Output{Options: out, Sink: nullSink{}})
		}
		w, err := sensor.NewWorker(o)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for i := range frames {
			f := &frames[i]
			w.Frame(f.Link, f.Data, f.WireLen, f.Time)
		}
		if err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		if w.Ledger.Imbalance() != 0 {
			b.Fatalf("ledger %+v", w.Ledger)
		}
		packets += len(frames)
	}
	runtime.ReadMemStats(&after)
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(packets)/seconds, "packets/s")
	b.ReportMetric(float64(packets)/float64(len(frames))*float64(bytes)*8/seconds/1e9, "Gbit/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(packets), "B/packet")
}

// nullSink takes lines and forgets them.
type nullSink struct{}

func (nullSink) Write([]byte) error { return nil }
