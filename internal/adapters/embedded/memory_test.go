package embedded

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// rss is the process's resident memory in bytes, 0 where the system does not say.
func rss(tb testing.TB) int {
	tb.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				tb.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}

// BenchmarkMemory takes 100,000 runs through an engine in memory and reports what the process holds after the first
// 20,000 and at the end. They differ by no more than noise: what is kept is bounded.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := mustOpen(b, Config{})
		b.StartTimer()
		var early int
		for i := range 100_000 {
			through(b, e, benchEvent())
			if i == 20_000 {
				early = rss(b)
			}
		}
		b.ReportMetric(float64(early)/(1<<20), "MB/20k")
		b.ReportMetric(float64(rss(b))/(1<<20), "MB/100k")
	}
}
