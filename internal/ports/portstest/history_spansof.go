package portstest

import (
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

var spansOfCases = map[string]func(t *testing.T, p Ports){
	"SpansOf/returns what Spans returns, of each run": spansOf,
	"SpansOf/of nothing is nothing":                   spansOfNothing,
}

func spansOf(t *testing.T, p Ports) {
	var asked []ulid.ULID
	want := map[ulid.ULID][]trace.Span{}
	for range 3 {
		next := aRun(p)
		id, now := next.State.ID, p.Now().UTC()
		traceID, root := trace.RunIDs(id)
		next.Spans = []trace.Span{{
			Run: id, App: next.State.AppID, Function: next.State.FunctionID, Trace: traceID, ID: root, Dynamic: root, Parent: trace.NoParent,
			Name: trace.NameRun, Start: now, End: now, Status: trace.Queued,
		}, {
			Run: id, App: next.State.AppID, Function: next.State.FunctionID, Trace: traceID, ID: "00000000000000ff", Dynamic: root,
			Parent: trace.NoParent, Name: trace.NameExtend, Start: now, End: now, Status: trace.Running,
		}}
		schedule(t, p, next)
		asked = append(asked, id)
	}
	for _, id := range asked {
		one, err := p.History.Spans(t.Context(), id)
		must(t, err)
		if len(one) == 0 {
			t.Fatalf("run %s has no spans", id)
		}
		want[id] = one
	}
	// Listing runs looks at the same rows, and leaves them as they are.
	_, err := p.History.Runs(t.Context(), ports.RunList{Limit: 10})
	must(t, err)
	got, err := p.History.SpansOf(t.Context(), append(asked, anEvent(p).InternalID))
	must(t, err)
	same(t, got, want)
}

func spansOfNothing(t *testing.T, p Ports) {
	got, err := p.History.SpansOf(t.Context(), nil)
	must(t, err)
	same(t, len(got), 0)
	if _, err := p.History.SpansOf(ended(t), []ulid.ULID{anEvent(p).InternalID}); err == nil {
		t.Fatal("read with an ended context")
	}
}
