package history_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// takes hands out the first jobs of all runs that are queued, and returns when.
func (w *world) takes() time.Time {
	w.t.Helper()
	w.clock.now = w.clock.now.Add(1500 * time.Microsecond)
	for {
		if _, ok := w.backend.TryLease(); !ok {
			return w.clock.now.Truncate(time.Millisecond)
		}
	}
}

// TestBegun asks in all ways for runs of which nothing is written yet but that they are queued, while the first calls of some are made.
func TestBegun(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	e := w.event("a", `{"n":1}`)
	w.ends(w.run("", e), run.Completed, `1`)
	one, two := w.run("", e), w.run("", e)
	since := w.takes()
	three, four := w.run("", e), w.run("", e)
	five := w.run("", e)
	w.ends(five, run.Completed, `1`)

	queued, running := []ulid.ULID{four.ID, three.ID}, []ulid.ULID{two.ID, one.ID}
	all := append(append([]ulid.ULID{}, queued...), running...)
	for name, c := range map[string]struct {
		list ports.RunList
		want []ulid.ULID
	}{
		"queued":           {ports.RunList{Statuses: []ports.RunStatus{ports.RunQueued}}, queued},
		"running":          {ports.RunList{Statuses: []ports.RunStatus{ports.RunRunning}}, running},
		"both":             {ports.RunList{Statuses: []ports.RunStatus{ports.RunQueued, ports.RunRunning}}, all},
		"both, ascending":  {ports.RunList{Statuses: []ports.RunStatus{ports.RunQueued, ports.RunRunning}, Ascending: true}, []ulid.ULID{one.ID, two.ID, three.ID, four.ID}},
		"ascending":        {ports.RunList{Statuses: []ports.RunStatus{ports.RunRunning}, Time: ports.ByStarted, Ascending: true}, []ulid.ULID{one.ID, two.ID}},
		"of a function":    {ports.RunList{Statuses: []ports.RunStatus{ports.RunRunning}, Functions: []uuid.UUID{one.FunctionID}}, []ulid.ULID{one.ID}},
		"of another":       {ports.RunList{Statuses: []ports.RunStatus{ports.RunQueued}, Functions: []uuid.UUID{one.FunctionID}}, nil},
		"running, or done": {ports.RunList{Statuses: []ports.RunStatus{ports.RunRunning, ports.RunCompleted}, From: ulid.Time(one.ID.Time())}, append([]ulid.ULID{five.ID}, running...)},
		"by their end":     {ports.RunList{Statuses: []ports.RunStatus{ports.RunRunning}, Time: ports.ByEnded}, nil},
	} {
		for _, search := range []string{"", `event.data.n == 1`} {
			for limit := 1; limit <= len(all); limit++ {
				q := history.Query{Search: search, RunList: c.list}
				q.Limit = limit
				var got []ulid.ULID
				for more := true; more; {
					page, err := w.Runs(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range page.Runs {
						if begun := r.RunID == one.ID || r.RunID == two.ID; begun != (r.Status == ports.RunRunning) || begun && !r.StartedAt.Equal(since) {
							t.Errorf("%s: %+v", name, r)
						}
						got = append(got, r.RunID)
					}
					if more = page.More; more {
						last := page.Runs[len(page.Runs)-1]
						q.After = &ports.RunCursor{At: last.At(q.Time), Run: last.RunID}
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s, %d a page, %q: -want +got:\n%s", name, limit, search, diff)
				}
				if n, err := w.CountRuns(t.Context(), q); n != len(c.want) || err != nil {
					t.Errorf("%s, %q: %d runs counted, %v", name, search, n, err)
				}
			}
		}
	}

	of, err := w.RunsOfEvents(t.Context(), []ulid.ULID{e.InternalID})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(of[e.InternalID], w.single(one.ID), w.single(three.ID), w.single(five.ID)) {
		want := map[ulid.ULID]ports.RunStatus{one.ID: ports.RunRunning, two.ID: ports.RunRunning, three.ID: ports.RunQueued, four.ID: ports.RunQueued}[r.RunID]
		if want != "" && r.Status != want || r.Status == ports.RunRunning && !r.StartedAt.Equal(since) {
			t.Errorf("got %+v", r)
		}
	}
	for _, preview := range []bool{true, false} {
		for id, want := range map[ulid.ULID]trace.NodeStatus{one.ID: trace.NodeRunning, three.ID: trace.NodeQueued} {
			node, err := w.Trace(t.Context(), id, preview)
			if err != nil || node.Status != want || node.StartedAt.IsZero() != (want == trace.NodeQueued) {
				t.Errorf("trace of %s: %+v, %v", id, node, err)
			}
		}
	}
}

func (w *world) single(id ulid.ULID) ports.RunSummary {
	w.t.Helper()
	r, err := w.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

var errDeaf = errors.New("no answer")

// deaf is a queue that does not say what has begun.
type deaf struct{ ports.Queue }

func (deaf) Begun(context.Context) (map[ulid.ULID]time.Time, error) { return nil, errDeaf }

// TestBegun_Fails has a queue that does not answer.
func TestBegun_Fails(t *testing.T) {
	t.Parallel()
	w := setup(t, history.Config{})
	e := w.event("a", `{}`)
	id := w.run("", e).ID
	w.Queue = deaf{w.Queue}
	list := history.Query{RunList: ports.RunList{Statuses: []ports.RunStatus{ports.RunQueued}, Limit: 1}}
	for name, ask := range map[string]func() error{
		"run":    func() error { _, err := w.Run(t.Context(), id); return err },
		"runs":   func() error { _, err := w.Runs(t.Context(), list); return err },
		"count":  func() error { _, err := w.CountRuns(t.Context(), list); return err },
		"events": func() error { _, err := w.RunsOfEvents(t.Context(), []ulid.ULID{e.InternalID}); return err },
	} {
		if err := ask(); !errors.Is(err, errDeaf) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
