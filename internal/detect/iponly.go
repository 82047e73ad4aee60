package detect

// ipIndex finds the ip-only rules for an address.
type ipIndex struct {
	rules []uint32
}

func (x *ipIndex) build(e *Engine) {}

// ipOnlyPhase looks at the ip-only rules: for the first packet of each direction of a
// flow, or for each packet without flow.
func (w *Worker) ipOnlyPhase() {
	if f := w.p.Flow; f != nil {
		d := w.p.Dir & 1
		if f.ipOnly[d] {
			return
		}
		f.ipOnly[d] = true
	}
	w.nextGen()
	w.cand = append(w.cand[:0], w.e.groups.ipOnly.rules...)
	w.runPacketRules()
}
