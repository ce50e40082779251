package portstest

import (
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
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
