package main

// ballastBytes is how much garbage may gather, whatever the heap holds, before it is collected.
const ballastBytes = 64 << 20

// newBallast is what counts as part of the heap while it is held, so a server that holds 10 MB collects garbage every 70 and not every 10,
// which costs a tenth of its throughput; one that holds gigabytes collects as it would without. Nobody writes to it, so it takes no memory
// but addresses. There is none if the operator has said when to collect garbage, or how much memory there is.
func newBallast(lookup func(name string) (string, bool)) []byte {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := lookup(name); set {
			return nil
		}
	}
	return make([]byte, ballastBytes)
}
