package embedded

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// benchSpans are the rows of a run without steps.
func benchSpans() []trace.Span {
	next := benchRun(benchEvent())
	t := run.Transition{
		Current: run.Disposition{Fate: run.FateDone}, Finish: &run.Finish{Status: run.Completed, Output: json.RawMessage(`"ok"`), At: time.Now()},
	}
	in := benchReplied(ports.Lease{Job: next.Start}, sdk.Reply{Status: 200, Output: t.Finish.Output})
	return append(next.Spans, trace.Advanced(next.State, in, t, nil)...)
}

// BenchmarkProject writes the rows of runs, 1,000 a transaction.
func BenchmarkProject(b *testing.B) {
	benchModes(b, func(b *testing.B, e *Engine) {
		b.ReportAllocs()
		for n := 0; n < b.N; n += 1000 {
			b.StopTimer()
			var batch []*unwritten
			for range 1000 {
				spans := benchSpans()
				batch = append(batch, &unwritten{run: spans[0].Run, spans: [][]trace.Span{spans}, rows: len(spans)})
			}
			b.StartTimer()
			rows := mergeAll(batch)
			if err := e.writer.do(b.Context(), &operation{apply: func(t *tx) error { return writeSpans(t, rows) }}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSpansRecord(b *testing.B) {
	spans := benchSpans()
	b.ReportAllocs()
	for b.Loop() {
		spansRecord(spans)
	}
}
