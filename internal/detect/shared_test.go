package detect_test

import (
	"strings"
	"sync"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/rule"
)

// Workers that share thresholds, bits and sets count together, also while other
// engines are made and take over: no hit is lost and none is counted twice.
func TestWorkersShare(t *testing.T) {
	rules := []string{
		`alert udp any any -> any any (content:"aaaa"; threshold:type limit, track by_src, count 50, seconds 60; sid:1;)`,
		`alert udp any any -> any any (content:"aaaa"; threshold:type threshold, track by_dst, count 10, seconds 60; sid:2;)`,
		`alert udp any any -> any any (content:"aaaa"; detection_filter:track by_src, count 100, seconds 60; sid:3;)`,
		`alert udp any any -> any any (content:"aaaa"; xbits:isnotset,seen,track ip_src; xbits:set,seen,track ip_src,expire 60; sid:4;)`,
		`alert udp any any -> any any (ip.src; dataset:isnotset,srcs,type ip; sid:5;)`,
		`alert udp any any -> any any (content:"aaaa"; ip.src; dataset:set,srcs,type ip; sid:6;)`,
		`alert udp any any -> any any (content:"aaaa"; tag:host,20,packets,src; sid:7;)`,
	}
	shared := detect.NewShared(detect.SharedOptions{})
	first := engine(t, detect.Options{Shared: shared}, rules...)
	parsed, _ := rule.Parse("test.rules", []byte(strings.Join(rules, "\n")))

	const workers, packets = 4, 200
	counts := make([]map[uint32]int, workers)
	var wg sync.WaitGroup
	for i := range workers {
		counts[i] = map[uint32]int{}
		wg.Go(func() {
			w := detect.NewWorker(first, shared)
			for n := range packets {
				if n == packets/2 {
					e, _ := detect.Compile(parsed, detect.Options{Shared: shared})
					w.Swap(e)
				}
				for _, a := range w.Inspect(&detect.Packet{P: udpPacket("xaaaax")}) {
					counts[i][a.Rule.SID]++
				}
			}
		})
	}
	wg.Wait()

	sum := map[uint32]int{}
	for _, c := range counts {
		for sid, n := range c {
			sum[sid] += n
		}
	}
	const all = workers * packets
	for sid, want := range map[uint32]int{1: 50, 2: all / 10, 3: all - 100, 7: all} {
		if sum[sid] != want {
			t.Errorf("sid %d alerted %d times, want %d", sid, sum[sid], want)
		}
	}
	// Test and set are two steps: each worker may come between them once.
	for _, sid := range []uint32{4, 5} {
		if sum[sid] < 1 || sum[sid] > workers {
			t.Errorf("sid %d alerted %d times, want 1 to %d", sid, sum[sid], workers)
		}
	}
}
