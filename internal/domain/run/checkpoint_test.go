package run

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestDispatch_Checkable(t *testing.T) {
	t.Parallel()
	old := now.Add(-10 * time.Second)
	for name, c := range map[string]struct {
		dispatch Dispatch
		want     bool
	}{
		"all there":              {Dispatch{Job: "j", Generation: 1, StartedAt: old}, true},
		"a time that is unknown": {Dispatch{Job: "j", Generation: 1}, true},
		"no job":                 {Dispatch{Generation: 1, StartedAt: old}, false},
		"no generation":          {Dispatch{Job: "j", StartedAt: old}, false},
		"a young one":            {Dispatch{Job: "j", Generation: 1, StartedAt: old.Add(time.Millisecond)}, false},
		"one of tomorrow":        {Dispatch{Job: "j", Generation: 1, StartedAt: now.Add(24 * time.Hour)}, false},
	} {
		if got := c.dispatch.Checkable(now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCheckpointed_RefusesStaleCalls(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	for name, c := range map[string]struct {
		in   Checkpointed
		want string
	}{
		"the same generation": {Checkpointed{Checked: true, Current: 2}, ""},
		"not checked":         {Checkpointed{Current: 3}, ""},
		"handed out again":    {Checkpointed{Checked: true, Current: 3}, "stale dispatch: the call is of generation 2, its job of generation 3"},
		"the job is gone":     {Checkpointed{Checked: true}, "stale dispatch: the call is of generation 2, its job is gone (generation 0)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := c.in
			in.Ops, in.Now, in.Limits = []sdk.Op{stepRun("a", "1")}, now, DefaultLimits
			in.Dispatch = Dispatch{Job: job.ID, Generation: 2}
			next, err := Advance(s, in)
			refused := (*CheckpointError)(nil)
			switch {
			case c.want == "" && (err != nil || len(next.Steps) != 1):
				t.Errorf("got %+v, %v", next, err)
			case c.want != "" && (!errors.As(err, &refused) || !refused.Stale || refused.TooLarge || err.Error() != c.want || next.Writes()):
				t.Errorf("got %v", err)
			}
		})
	}
	// What can never be saved is refused for what it is.
	in := Checkpointed{Ops: []sdk.Op{sleeping("a", "1s")}, Now: now, Limits: DefaultLimits, Checked: true, Current: 1}
	if _, err := Advance(s, in); err == nil || !strings.Contains(err.Error(), "async steps") {
		t.Errorf("got %v", err)
	}
}

func TestCheckpointed_GivesTheJobItsAttemptsBack(t *testing.T) {
	t.Parallel()
	s, job := begun(2)
	for name, c := range map[string]struct {
		job  string
		ops  []sdk.Op
		want string
	}{
		"progress":              {job.ID, []sdk.Op{stepRun("a", "1")}, job.ID},
		"a job of another run":  {"other", []sdk.Op{stepRun("a", "1")}, ""},
		"no job":                {"", []sdk.Op{stepRun("a", "1")}, ""},
		"no progress":           {job.ID, []sdk.Op{planned("a")}, ""},
		"nothing":               {job.ID, nil, ""},
		"a step of long before": {job.ID, []sdk.Op{stepRun("before", "1")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.Apply(Job{}, Transition{Steps: []Step{{ID: "before", Memo: []byte("1")}}})
			next, err := Advance(s, Checkpointed{Ops: c.ops, Now: now, Limits: DefaultLimits, Dispatch: Dispatch{Job: c.job}})
			if err != nil || next.ResetJob != c.want {
				t.Errorf("resets %q, %v, want %q", next.ResetJob, err, c.want)
			}
		})
	}
}

func TestCheckpointed_BeginsTheRun(t *testing.T) {
	t.Parallel()
	s, job := begun(1)
	created := time.UnixMilli(int64(s.ID.Time()))
	at := created.Add(time.Minute)
	for name, c := range map[string]struct {
		call, step time.Time
		none       bool
		known      time.Time
		want       time.Time
	}{
		"when the call came":            {call: at.Add(-2 * time.Second), step: at.Add(-time.Second), want: at.Add(-2 * time.Second)},
		"when its first step began":     {step: at.Add(-time.Second), want: at.Add(-time.Second)},
		"now, if nobody knows":          {want: at},
		"not before it was created":     {call: created.Add(-time.Millisecond), step: created, want: created},
		"not in times to come":          {call: at.Add(time.Hour), step: at.Add(time.Hour), want: at},
		"once":                          {call: at.Add(-time.Second), known: at.Add(-time.Minute)},
		"not with what changes nothing": {call: at.Add(-time.Second), none: true},
	} {
		state, op := s, stepRun("a", "1")
		op.StartedAt, state.StartedAt = c.step, c.known
		in := Checkpointed{Ops: []sdk.Op{op}, Now: at, Limits: DefaultLimits, Dispatch: Dispatch{Job: job.ID, StartedAt: c.call}}
		if c.none {
			in.Ops = nil
		}
		next, err := Advance(state, in)
		if err != nil || !next.StartedAt.Equal(c.want) {
			t.Errorf("%s: began at %s, %v, want %s", name, next.StartedAt, err, c.want)
		}
	}
}

// TestCheckpointed_KeepsNothingOfWhatHasBegun tells history of steps that the app goes on with, and nothing follows from it.
func TestCheckpointed_KeepsNothingOfWhatHasBegun(t *testing.T) {
	t.Parallel()
	s, job := begun(1)
	s = s.Apply(Job{}, Transition{Steps: []Step{{ID: "before", Memo: []byte("1")}}})
	ops := []sdk.Op{planned("before"), planned("a"), planned("a"), stepRun("b", "1"), planned("b")}
	next, err := Advance(s, Checkpointed{Ops: ops, Now: now, Limits: DefaultLimits, Dispatch: Dispatch{Job: job.ID}})
	if err != nil || !slices.Equal(next.Begun, []string{"a"}) || len(next.Steps) != 1 {
		t.Errorf("got %+v, %v", next, err)
	}
	next, err = Advance(s, Checkpointed{Ops: []sdk.Op{planned("a")}, Now: now, Limits: DefaultLimits, Dispatch: Dispatch{Job: job.ID}})
	if err != nil || !next.Writes() || next.ResetJob != "" || next.StartedAt.IsZero() {
		t.Errorf("got %+v, %v", next, err)
	}
	if after := s.Apply(Job{}, next); len(after.Steps) != 1 || len(after.Jobs) != len(s.Jobs) {
		t.Errorf("afterwards %+v", after)
	}
	if next, err = Advance(s, Checkpointed{Ops: ops[:1], Now: now, Limits: DefaultLimits}); err != nil || next.Writes() {
		t.Errorf("got %+v, %v", next, err)
	}
}
