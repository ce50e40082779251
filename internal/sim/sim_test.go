package sim

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

var (
	oneSeed = flag.Uint64("sim.seed", 0, "simulate this seed only, and print its trace")
	seeds   = flag.Int("sim.seeds", 100, "number of seeds to simulate")
	steps   = flag.Int("sim.steps", 400, "steps with faults of each simulation")
)

func TestSeeds(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		result, err := New(*oneSeed).Run(t.Context(), *steps)
		t.Logf("trace:\n%s", strings.Join(result.Trace, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	events, crashes := 0, 0
	for seed := range *seeds {
		result, err := New(uint64(seed+1)).Run(t.Context(), *steps)
		if err != nil {
			t.Fatal(err)
		}
		events, crashes = events+result.Events, crashes+result.Crashes
	}
	t.Logf("%d seeds of %d steps: %d events, %d crashes", *seeds, *steps, events, crashes)
	if events == 0 || crashes == 0 {
		t.Error("the simulation does nothing")
	}
}

func TestRun_IsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	first, err := New(7).Run(t.Context(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(7).Run(t.Context(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Trace, again.Trace) {
		t.Error("two runs of one seed differ")
	}
}

// broken is a store with a planted bug.
type broken struct {
	ports.Store
	commit   func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error)
	schedule func(s ports.Schedule) ports.Schedule
	runsOf   func(q ports.RunsQuery, found []ulid.ULID) []ulid.ULID
	// ignores says which fences are not put up.
	ignores func(before time.Time) bool
}

func (b broken) RunsOf(ctx context.Context, q ports.RunsQuery) ([]ulid.ULID, error) {
	found, err := b.Store.RunsOf(ctx, q)
	if b.runsOf != nil {
		found = b.runsOf(q, found)
	}
	return found, err
}

func (b broken) Fence(ctx context.Context, function uuid.UUID, before time.Time) error {
	if b.ignores != nil && b.ignores(before) {
		return nil
	}
	return b.Store.Fence(ctx, function, before)
}

func (b broken) Commit(ctx context.Context, c ports.Commit) (run.State, error) {
	next := func(c ports.Commit) (run.State, error) { return b.Store.Commit(ctx, c) }
	if b.commit == nil {
		return next(c)
	}
	return b.commit(next, c)
}

func (b broken) Schedule(ctx context.Context, s ports.Schedule) ([]ports.Scheduled, error) {
	if b.schedule != nil {
		s = b.schedule(s)
	}
	return b.Store.Schedule(ctx, s)
}

// keepsHolds is a store that does not settle holds of a kind.
func keepsHolds(w *World, kind ports.HoldKind) ports.Store {
	return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
		if w.controls.held[s.Hold].Kind == kind && w.chance(3) {
			_ = w.backend.Holds().Release(context.Background(), s.Hold, time.Time{})
			s.Hold = ports.HoldRef{}
		}
		return s
	}}
}

// besides is another run of the function that an event invokes.
func besides(w *World, e event.Tracked, function string) ports.NewRun {
	state, jobs := run.New(run.Spec{
		ID: entropy{w}.ULID(w.clock.now), FunctionID: uuid.MustParse(function), Key: e.InternalID.String(), Now: w.clock.now,
		Events: []event.Tracked{e}, MaxAttempts: 4,
	})
	return ports.NewRun{State: state, Start: jobs[0]}
}

// asksFor is a store that decides on something else than it is asked for.
func asksFor(w *World, change func(values *flow.Evaluated)) ports.Store {
	return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
		s.Runs = slices.Clone(s.Runs)
		for i, r := range s.Runs {
			if r.Request != nil {
				request := *r.Request
				change(&request.Values)
				s.Runs[i].Request = &request
			}
		}
		return s
	}}
}

// TestSeeds_FindPlantedBugs proves that the simulation can see what it is there to see: each bug is found within a few
// seeds.
func TestSeeds_FindPlantedBugs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store func(w *World) ports.Store
		want  string
	}{
		"a lost wake-up: the job that follows a step is not created": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					if len(c.Transition.Steps) > 0 && len(c.Transition.Jobs) == 1 {
						c.Transition.Jobs = nil
					}
					return next(c)
				}}
			}, "not at rest",
		},
		"a double finish: the end is told twice": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					if c.Transition.Finish != nil {
						twice := c.Publish[0]
						twice.InternalID = entropy{w}.ULID(w.clock.now)
						c.Publish = append(c.Publish, twice)
					}
					return next(c)
				}}
			}, "published finished 2",
		},
		"a torn commit: the run ends but its events are not published": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					c.Publish = slices.DeleteFunc(c.Publish, func(e event.Tracked) bool { return e.Name == event.FunctionFinished && w.chance(4) })
					return next(c)
				}}
			}, "published finished 0",
		},
		"an end that history misses: the run ends without its rows": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					if c.Transition.Finish != nil && w.chance(4) {
						c.Spans = nil
					}
					return next(c)
				}}
			}, "history shows ",
		},
		"a step that history misses: its memo is saved without its row": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					if len(c.Transition.Steps) > 0 && w.chance(4) {
						c.Spans = slices.DeleteFunc(c.Spans, func(s trace.Span) bool { return s.Summary == nil })
					}
					return next(c)
				}}
			}, "history shows 0 ends of step",
		},
		"a run that history misses: it is scheduled without its rows": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					for i := range s.Runs {
						if w.chance(4) {
							s.Runs[i].Spans = nil
						}
					}
					return s
				}}
			}, "history shows 0 roots",
		},
		"a forgotten memo: a step is saved empty and run again": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, commit: func(next func(ports.Commit) (run.State, error), c ports.Commit) (run.State, error) {
					if len(c.Transition.Steps) == 1 && len(c.State.Stack) > 0 {
						c.Transition.Steps[0].ID = c.State.Stack[0]
					}
					return next(c)
				}}
			}, "memo of step",
		},
		"a lost tick: a schedule moves on and starts nothing": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					if len(s.Ticks) > 0 {
						s.Runs, s.Skipped = nil, nil
					}
					return s
				}}
			}, "has 0 runs",
		},
		"a doubled tick: a schedule fires and does not move on": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					if len(s.Ticks) > 0 {
						s.Ticks = nil
						for i := range s.Runs {
							s.Runs[i].IdempotencyKey = ""
						}
					}
					return s
				}}
			}, "twice",
		},
		"no idempotency: an event delivered again starts again": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					for i := range s.Runs {
						s.Runs[i].IdempotencyKey = ""
						twice := s.Runs[i]
						if twice.State.Lock != "" {
							continue // it would be seen for another reason
						}
						twice.State.ID = entropy{w}.ULID(w.clock.now)
						twice.Start.RunID, twice.Start.ID = twice.State.ID, twice.Start.ID+"x"
						twice.State.Jobs = map[string]run.Kind{twice.Start.ID: run.KindStart}
						s.Runs = append(s.Runs, twice)
					}
					return s
				}}
			}, "twice",
		},
		"a forgotten key: an invocation that is asked for again starts again": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					s.Runs = slices.Clone(s.Runs)
					for i, r := range s.Runs {
						if event.IsDirect(r.State.Events[0].Event) {
							s.Runs[i].IdempotencyKey = ""
						}
					}
					return s
				}}
			}, "and its key has started",
		},
		"a lost invocation: its event is accepted without its run": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					if len(s.Runs) == 1 && event.IsDirect(s.Runs[0].State.Events[0].Event) {
						s.Skipped = []ports.SkippedRun{{RunID: s.Runs[0].State.ID}}
						s.Runs = nil
					}
					return s
				}}
			}, "is refused",
		},
		"an invocation that is routed: its event starts a run besides": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					e, err := w.backend.Event(context.Background(), s.Event)
					if err == nil && event.IsDirect(e.Event) {
						target, _ := event.Target(e.Event)
						s.Runs = append(slices.Clone(s.Runs), besides(w, e, target))
					}
					return s
				}}
			}, "twice",
		},
		"a run that is not listed: a bulk cancellation misses it": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, runsOf: func(_ ports.RunsQuery, found []ulid.ULID) []ulid.ULID { return found[min(len(found), 1):] }}
			}, "is in progress although cancellation",
		},
		"a run that is listed too late: a bulk cancellation ends one that is not meant": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, runsOf: func(q ports.RunsQuery, _ []ulid.ULID) []ulid.ULID {
					found, _ := w.backend.RunsOf(context.Background(), ports.RunsQuery{Function: q.Function, Cursor: q.Cursor, Limit: q.Limit})
					return found
				}}
			}, "Cancelled with {}, want [",
		},
		"no fence for a pause: a run begins that was decided on before": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, ignores: func(before time.Time) bool { return before.After(w.clock.now) }}
			}, "begins while the function is paused",
		},
		"no limits: the queue is not told of them": {
			func(w *World) ports.Store {
				w.untold = func() bool { return true }
				return w.backend
			}, "above the limit of",
		},
		"forgotten limits: the queue is not told of them after a crash": {
			func(w *World) ports.Store {
				w.untold = func() bool { return w.crashes > 0 }
				return w.backend
			}, "above the limit of",
		},
		"no fence for a cancellation: a run comes late": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, ignores: func(before time.Time) bool { return !before.After(w.clock.now) }}
			}, "although cancellation",
		},
		"a batch that stays: it starts a run and is taken again": {
			func(w *World) ports.Store { return keepsHolds(w, ports.HoldBatch) }, "is in a batch again",
		},
		"a debounce that stays: it starts a run and is taken again": {
			func(w *World) ports.Store { return keepsHolds(w, ports.HoldDebounce) }, "not with the latest",
		},
		"a lost event: it is to be in a batch and is in none": {
			func(w *World) ports.Store {
				return broken{Store: w.backend, schedule: func(s ports.Schedule) ports.Schedule {
					s.Runs = slices.DeleteFunc(slices.Clone(s.Runs), func(r ports.NewRun) bool {
						return r.Request != nil && r.Request.Values.Batched && w.chance(4)
					})
					return s
				}}
			}, "is in no batch",
		},
		"a lost lock: a singleton starts beside another": {
			func(w *World) ports.Store {
				return asksFor(w, func(values *flow.Evaluated) { values.SingletonKey = "" })
			}, "are in progress at once",
		},
		"a lost bucket: a rate limit lets everything through": {
			func(w *World) ports.Store {
				return asksFor(w, func(values *flow.Evaluated) { values.RateLimit = nil })
			}, "and the rate limit allows it: false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				w := New(seed + 1)
				w.store = c.store(w)
				_, err := w.Run(t.Context(), 400)
				if found := (*Error)(nil); errors.As(err, &found) {
					if text := strings.Join(found.Faults, "\n"); !strings.Contains(text, c.want) {
						t.Errorf("seed %d found %s, want %q", seed+1, text, c.want)
					}
					return
				}
			}
			t.Error("no seed found it")
		})
	}
}
