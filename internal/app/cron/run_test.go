package cron

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// inBubble runs a case in a bubble, with a world of its own.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, setup(t)) })
}

// wants compares what was fired with what should have been.
func (w *world) wants(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(sorted(want), sorted(w.fired())); diff != "" {
		w.t.Errorf("fired -want +got:\n%s", diff)
	}
}

func TestRun_FiresEachTickOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("often", "*/5 * * * *"), timedBy("daily", "TZ=Europe/Paris 30 1 * * *"), timedBy("never", "0 0 30 2 *"), timedBy("none"))
		stop := w.run()
		pass(5*time.Minute - time.Second)
		w.wants()
		pass(time.Second)
		w.wants(`often "*/5 * * * *" 01-01T00:05:00Z`)
		pass(25 * time.Minute)
		stop()
		w.wants(
			`often "*/5 * * * *" 01-01T00:05:00Z`, `often "*/5 * * * *" 01-01T00:10:00Z`, `often "*/5 * * * *" 01-01T00:15:00Z`,
			`often "*/5 * * * *" 01-01T00:20:00Z`, `often "*/5 * * * *" 01-01T00:25:00Z`, `often "*/5 * * * *" 01-01T00:30:00Z`,
			`daily "TZ=Europe/Paris 30 1 * * *" 01-01T00:30:00Z`,
		)
		if text := w.logged.String(); strings.Contains(text, "missed") || strings.Contains(text, "level=ERROR") {
			t.Errorf("logged %s", text)
		}
	})
}

// TestRun_MakesTheRunOfATick: its event, its job and its place in the history. Spec 12 §9.4.
func TestRun_MakesTheRunOfATick(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		fn := timedBy("fn", "*/5 * * * *~1s")
		fn.Version, fn.Settings.Timeouts = 3, &function.Timeouts{Start: "1h"}
		w.sync(fn)
		defer w.run()()
		pass(5 * time.Minute)
		records := w.backend.Runs()
		if len(records) != 1 {
			t.Fatalf("%d runs", len(records))
		}
		state, err := w.backend.Load(t.Context(), records[0].RunID)
		if err != nil {
			t.Fatal(err)
		}
		waiting := w.backend.TryTake(2)
		if diff := cmp.Diff(waiting, state.Events); diff != "" || len(waiting) != 1 {
			t.Fatalf("the run's event is not the one that is routed: %s", diff)
		}
		want := `{"id":"2000-01-01T00:05:00Z","name":"inngest/scheduled.timer","data":{"cron":"*/5 * * * *","fireAt":"2000-01-01T00:05:01Z","scheduledAt":"2000-01-01T00:05:00Z"},"ts":946685101000}`
		if got := string(state.Events[0].AppendStored(nil)); got != want {
			t.Errorf("event %s", got)
		}
		if state.FunctionVersion != 3 || state.Slug != "app-fn" || len(state.Jobs) != 2 || records[0].Cron != "*/5 * * * *" {
			t.Errorf("state %+v, record %+v", state, records[0])
		}
		if _, due := w.backend.TryLease(); due {
			t.Error("the run starts before its jitter is over")
		}
		pass(time.Second)
		if lease, due := w.backend.TryLease(); !due || lease.Job.Kind != run.KindStart {
			t.Errorf("leased %+v", lease)
		}
	})
}

func TestRun_JitterIsThatOfNow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("fn", "* * * * *~5m"))
		defer w.run()()
		pass(time.Minute)
		w.sync(timedBy("fn", "* * * * *"))
		pass(time.Minute)
		events := w.backend.AllEvents()
		if len(events) != 2 {
			t.Fatalf("%d events", len(events))
		}
		scheduled := time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)
		if later := time.UnixMilli(events[0].TS).Sub(scheduled); later < time.Second || later >= 5*time.Minute {
			t.Errorf("jitter %v", later)
		}
		if later := time.UnixMilli(events[1].TS).Sub(scheduled.Add(time.Minute)); later != 0 {
			t.Errorf("jitter %v although there is none", later)
		}
	})
}

// TestRun_TwoSchedulesOfAFunctionInOneMinute start a run each, and a timer event each with one ID. Spec 12, weakness 14.
func TestRun_TwoSchedulesOfAFunctionInOneMinute(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *testing.T, w *world) {
		w.sync(timedBy("fn", "* * * * *", "*/1 * * * *"))
		defer w.run()()
		pass(time.Minute)
		w.wants(`fn "* * * * *" 01-01T00:01:00Z`, `fn "*/1 * * * *" 01-01T00:01:00Z`)
	})
}

func TestRun_FollowsSyncs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		pass(30 * time.Second)
		w.sync(timedBy("fn", "* * * * *", "*/2 * * * *"))
		pass(2 * time.Minute) // 00:02:30
		first := []string{`fn "* * * * *" 01-01T00:01:00Z`, `fn "* * * * *" 01-01T00:02:00Z`, `fn "*/2 * * * *" 01-01T00:02:00Z`}
		w.wants(first...)
		w.sync(timedBy("fn", "*/2 * * * *", "*/3 * * * *")) // one goes, one stays, one comes
		pass(4 * time.Minute)                               // 00:06:30
		second := append(slices.Clone(first), `fn "*/3 * * * *" 01-01T00:03:00Z`, `fn "*/2 * * * *" 01-01T00:04:00Z`, `fn "*/2 * * * *" 01-01T00:06:00Z`, `fn "*/3 * * * *" 01-01T00:06:00Z`)
		w.wants(second...)
		w.apply(function.SyncPlan{App: anApp(), Archive: []uuid.UUID{timedBy("fn").ID}})
		pass(10 * time.Minute) // 00:16:30
		w.wants(second...)
		w.sync(timedBy("fn", "*/2 * * * *")) // it begins anew: nothing of the meantime was missed
		pass(time.Minute)                    // 00:17:30
		w.wants(second...)
		pass(time.Minute)
		third := append(slices.Clone(second), `fn "*/2 * * * *" 01-01T00:18:00Z`)
		w.wants(third...)
		w.remove()
		pass(time.Hour)
		w.wants(third...)
		if text := w.logged.String(); strings.Contains(text, "missed") || strings.Contains(text, "level=ERROR") {
			t.Errorf("logged %s", text)
		}
	})
}

// TestRun_ReadsManyFunctionsAtOnce: a sync of many functions is not many reads.
func TestRun_ReadsManyFunctionsAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		pass(time.Second)
		before := len(w.catalog.asked)
		var functions []function.Function
		for n := range readOneByOne + 1 {
			functions = append(functions, timedBy(fmt.Sprint("fn-", n), "* * * * *"))
		}
		w.sync(functions...)
		pass(time.Minute)
		if asked := len(w.catalog.asked) - before; asked != 1 || len(w.fired()) != len(functions) {
			t.Errorf("%d reads, %d fired", asked, len(w.fired()))
		}
	})
}

// TestRun_FiresTheLatestMissedTick: the server was down, for a moment, for long, and before a schedule was registered.
func TestRun_FiresTheLatestMissedTick(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		stop := w.run()
		pass(30 * time.Second)
		w.sync(timedBy("minute", "* * * * *"), timedBy("daily", "0 12 * * *"))
		stop() // before the first tick
		pass(time.Hour)
		w.wants()
		stop = w.run()
		pass(time.Second)
		late := []string{`minute "* * * * *" 01-01T01:00:00Z at 01-01T01:00:30Z`}
		w.wants(late...)
		if text := w.logged.String(); !strings.Contains(text, "ticks were missed; the latest of each schedule was fired") || !strings.Contains(text, "count=1") {
			t.Errorf("logged %s", text)
		}
		pass(time.Minute)
		stop()
		late = append(late, `minute "* * * * *" 01-01T01:01:00Z`)
		w.wants(late...)
		pass(35*time.Hour + 30*time.Minute) // to the second of January, 12:31:31
		stop = w.run()
		pass(time.Second)
		stop()
		w.wants(append(late, `minute "* * * * *" 01-02T12:31:00Z at 01-02T12:31:31Z`, `daily "0 12 * * *" 01-02T12:00:00Z at 01-02T12:31:31Z`)...)
	})
}

// TestRun_NothingIsMissedByAStopAndAStart: whatever the moment.
func TestRun_NothingIsMissedByAStopAndAStart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *testing.T, w *world) {
		w.sync(timedBy("fn", "* * * * *"))
		var want []string
		for n := range 20 {
			stop := w.run()
			pass(time.Minute - time.Duration(n)*10*time.Millisecond)
			stop()
		}
		for n := range 19 {
			want = append(want, fmt.Sprintf(`fn "* * * * *" 01-01T00:%02d:00Z`, n+1))
		}
		w.wants(want...)
	})
}

// TestRun_APausedFunctionStartsNothingNowOrLater: its ticks are recorded as skipped.
func TestRun_APausedFunctionStartsNothingNowOrLater(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		fn := timedBy("fn", "* * * * *")
		w.sync(fn)
		pause := func(paused bool) {
			if err := w.backend.SetPaused(t.Context(), fn.ID, paused); err != nil {
				t.Fatal(err)
			}
			w.registry.SetPaused(fn.ID, paused)
		}
		stop := w.run()
		pause(true)
		pass(2*time.Minute + 30*time.Second)
		stop()
		records := w.backend.Runs()
		if len(records) != 2 || len(w.backend.AllEvents()) != 2 {
			t.Fatalf("runs %+v, events %v", records, w.backend.AllEvents())
		}
		for i, r := range records {
			if r.Status != run.Skipped || r.Cron != "* * * * *" || r.EventID != w.backend.AllEvents()[i].InternalID || string(r.Output) != `{"skipReason":"FunctionPaused"}` {
				t.Errorf("record %+v", r)
			}
		}
		pause(false)
		stop = w.run() // the ticks of before have passed
		pass(time.Second)
		if n := len(w.backend.Runs()); n != 2 {
			t.Errorf("%d runs", n)
		}
		pass(time.Minute)
		stop()
		if records := w.backend.Runs(); len(records) != 3 || records[2].Status != run.Running {
			t.Errorf("runs %+v", records)
		}
	})
}

// TestRun_APauseBetweenDecisionAndCommit: a fence refuses the run, and the tick is decided on anew.
func TestRun_APauseBetweenDecisionAndCommit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		fn := timedBy("fn", "* * * * *")
		w.store.spoil = func(call int, _ ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
			if call == 1 {
				w.registry.SetPaused(fn.ID, true)
				if err := w.backend.Fence(t.Context(), fn.ID, w.clock.Now().Add(time.Millisecond)); err != nil {
					t.Error(err)
				}
			}
			return next()
		}
		w.sync(fn)
		defer w.run()()
		pass(90 * time.Second)
		if records := w.backend.Runs(); len(records) != 1 || records[0].Status != run.Skipped || len(w.backend.AllEvents()) != 1 {
			t.Errorf("runs %+v, %d events", records, len(w.backend.AllEvents()))
		}
	})
}

func TestRun_TriesAgainWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// after says that the commit happens although it fails.
		after bool
		err   error
	}{
		"unavailable":                 {false, ports.ErrUnavailable},
		"with the commit made":        {true, ports.ErrUnavailable},
		"with an error of no port":    {false, errors.New("disk on fire")},
		"with a bug":                  {false, nil},
		"with a conflict of no cause": {false, ports.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				var tries []time.Time
				w.store.spoil = func(call int, _ ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
					if tries = append(tries, time.Now()); call > 4 {
						return next()
					}
					if c.after {
						_, _ = next()
					}
					if c.err == nil {
						_ = tries[len(tries):][call]
					}
					return nil, fmt.Errorf("schedule: %w", c.err)
				}
				w.sync(timedBy("fn", "* * * * *"))
				stop := w.run()
				pass(90 * time.Second)
				if got := len(w.fired()); got != 1 || len(w.backend.AllEvents()) != 1 {
					t.Errorf("fired %v, %d events", w.fired(), len(w.backend.AllEvents()))
				}
				if text := w.logged.String(); !errors.Is(c.err, ports.ErrConflict) && !strings.Contains(text, "ticks could not be fired; they are tried again") {
					t.Errorf("logged %s", text)
				}
				pass(30 * time.Second)
				if got := len(w.fired()); got != 2 {
					t.Errorf("fired %v", w.fired())
				}
				stop()
				if c.err != nil && !c.after && !errors.Is(c.err, ports.ErrConflict) {
					var waits []time.Duration
					for i := range tries[1:5] {
						waits = append(waits, tries[i+1].Sub(tries[i]))
					}
					if diff := cmp.Diff([]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}, waits); diff != "" {
						t.Errorf("waited -want +got:\n%s", diff)
					}
				}
			})
		})
	}
}

// TestRun_ALongOutageIsNoFlood: ticks that pass while the store is unavailable are one.
func TestRun_ALongOutageIsNoFlood(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		until := time.Now().Add(10*time.Minute + 15*time.Second)
		tries := 0
		w.store.spoil = func(_ int, _ ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
			if tries++; time.Now().Before(until) {
				return nil, ports.ErrUnavailable
			}
			return next()
		}
		w.sync(timedBy("fn", "* * * * *"))
		stop := w.run()
		pass(11*time.Minute - time.Second)
		stop()
		if got := w.fired(); len(got) != 1 || !strings.HasPrefix(got[0], `fn "* * * * *" 01-01T00:10:00Z at 01-01T00:10:`) {
			t.Errorf("fired %v", got)
		}
		if tries > 40 {
			t.Errorf("tried %d times in ten minutes", tries)
		}
	})
}

// TestRun_OneThatFailsDoesNotHoldUpTheOthers.
func TestRun_OneThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *testing.T, w *world) {
		bad := timedBy("bad", "* * * * *")
		w.store.spoil = func(_ int, s ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
			if s.Ticks[0].FunctionID == bad.ID {
				return nil, errors.New("corrupt")
			}
			return next()
		}
		w.sync(bad, timedBy("good", "* * * * *"))
		defer w.run()()
		pass(3 * time.Minute)
		w.wants(`good "* * * * *" 01-01T00:01:00Z`, `good "* * * * *" 01-01T00:02:00Z`, `good "* * * * *" 01-01T00:03:00Z`)
	})
}

func TestRun_ReadsAgainWhileTheCatalogFails(t *testing.T) {
	t.Parallel()
	for name, many := range map[string]int{"one function": 1, "many": readOneByOne + 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.sync(timedBy("other", "@every 1s"))
				defer w.run()()
				pass(time.Second)
				w.catalog.spoil = func(call int, next func() ([]ports.Tick, error)) ([]ports.Tick, error) {
					if call < 10 {
						return nil, ports.ErrUnavailable
					}
					return next()
				}
				var functions []function.Function
				for n := range many {
					functions = append(functions, timedBy(fmt.Sprint("fn-", n), "* * * * *"))
				}
				w.sync(functions...)
				pass(2 * time.Minute)
				if got := len(w.fired()); got != 2*many+121 {
					t.Errorf("fired %d", got)
				}
				if !strings.Contains(w.logged.String(), "read ticks") {
					t.Errorf("logged %s", w.logged)
				}
			})
		})
	}
}

// TestRun_FollowsTheClock: timers measure time that passes, not the clock on the wall, which may be set.
func TestRun_FollowsTheClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		by   time.Duration
		then time.Duration
		want []string
	}{
		"set forward": {
			time.Hour, 2 * time.Minute,
			[]string{`fn "*/5 * * * *" 01-01T00:05:00Z`, `fn "*/5 * * * *" 01-01T01:05:00Z at 01-01T01:06:30Z`},
		},
		"set forward within a period": {
			2 * time.Minute, 2 * time.Minute,
			[]string{`fn "*/5 * * * *" 01-01T00:05:00Z`, `fn "*/5 * * * *" 01-01T00:10:00Z`},
		},
		"set back a little": {
			-3 * time.Minute, 8 * time.Minute,
			[]string{`fn "*/5 * * * *" 01-01T00:05:00Z`, `fn "*/5 * * * *" 01-01T00:10:00Z`},
		},
		"set back a lot": { // it was wrong before: the schedule does not wait for a time that may be years ahead
			-100 * time.Hour, 6 * time.Minute,
			[]string{`fn "*/5 * * * *" 01-01T00:05:00Z`, `fn "*/5 * * * *" 1999-12-27T20:10:00Z`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.sync(timedBy("fn", "*/5 * * * *"))
				defer w.run()()
				pass(6 * time.Minute)
				w.clock.set(c.by)
				pass(c.then)
				if diff := cmp.Diff(c.want, w.fired()); diff != "" {
					t.Errorf("fired -want +got:\n%s", diff)
				}
			})
		})
	}
}

// TestRun_AStartWithAClockThatWasWrong: the place of a schedule is years ahead.
func TestRun_AStartWithAClockThatWasWrong(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *testing.T, w *world) {
		w.clock.set(10 * 365 * 24 * time.Hour)
		w.sync(timedBy("fn", "* * * * *"))
		w.clock.set(-10 * 365 * 24 * time.Hour)
		defer w.run()()
		pass(2 * time.Minute)
		w.wants(`fn "* * * * *" 01-01T00:01:00Z`, `fn "* * * * *" 01-01T00:02:00Z`)
	})
}

// TestRun_TwoServersFireATickOnce: they share the store, and know of the same functions.
func TestRun_TwoServersFireATickOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("one", "* * * * *"), timedBy("two", "*/2 * * * *"))
		defer w.run()()
		defer w.run()()
		pass(4 * time.Minute)
		w.wants(
			`one "* * * * *" 01-01T00:01:00Z`, `one "* * * * *" 01-01T00:02:00Z`, `one "* * * * *" 01-01T00:03:00Z`, `one "* * * * *" 01-01T00:04:00Z`,
			`two "*/2 * * * *" 01-01T00:02:00Z`, `two "*/2 * * * *" 01-01T00:04:00Z`,
		)
		if len(w.backend.AllEvents()) != 6 {
			t.Errorf("%d events", len(w.backend.AllEvents()))
		}
	})
}

// TestRun_ASyncBetweenReadingAndFiring: what was taken away does not fire although the scheduler has not heard of it yet.
func TestRun_ASyncBetweenReadingAndFiring(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("fn", "* * * * *"))
		defer w.run()()
		pass(30 * time.Second)
		plan := function.SyncPlan{App: anApp(), Put: []function.Function{timedBy("fn", "*/2 * * * *")}}
		if err := w.backend.Sync(t.Context(), plan); err != nil { // acknowledged before the registry knows
			t.Fatal(err)
		}
		pass(time.Minute)
		w.wants()
		w.registry.Apply(plan)
		pass(time.Minute)
		w.wants(`fn "*/2 * * * *" 01-01T00:02:00Z`)
		plan.Put = []function.Function{timedBy("fn", "*/2 * * * *", "* * * * *")}
		w.sync(plan.Put...)
		pass(30 * time.Second)
		w.wants(`fn "*/2 * * * *" 01-01T00:02:00Z`, `fn "* * * * *" 01-01T00:03:00Z`)
	})
}

// TestRun_ASyncWhileATickIsCommitted: a schedule that goes while its tick is in hand does not come back with it.
func TestRun_ASyncWhileATickIsCommitted(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"goes": false, "goes and comes": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(_ *testing.T, w *world) {
				w.store.spoil = func(call int, _ ports.Schedule, next func() ([]ports.Scheduled, error)) ([]ports.Scheduled, error) {
					answer, err := next()
					if call == 1 {
						w.sync(timedBy("fn"))
						if again {
							w.sync(timedBy("fn", "* * * * *"))
						}
					}
					return answer, err
				}
				w.sync(timedBy("fn", "* * * * *"))
				defer w.run()()
				pass(2 * time.Minute)
				want := []string{`fn "* * * * *" 01-01T00:01:00Z`}
				if again {
					want = append(want, `fn "* * * * *" 01-01T00:02:00Z`)
				}
				w.wants(want...)
			})
		})
	}
}

// TestFire_OfAScheduleThatGoesMeanwhile does not fire it.
func TestFire_OfAScheduleThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("a", "* * * * *"), timedBy("b", "* * * * *"))
		w.deps.AtOnce = 2
		s := w.scheduler()
		pass(time.Minute)
		due := s.take()
		if len(due) != 2 {
			t.Fatalf("%d are due", len(due))
		}
		w.sync(timedBy("b"))
		var outcomes []outcome
		for _, e := range due {
			outcomes = append(outcomes, s.fire(t.Context(), e))
		}
		if err := s.settle(t.Context(), due, outcomes); err != nil || w.store.calls != 1 {
			t.Errorf("%d commits, %v", w.store.calls, err)
		}
		w.wants(`a "* * * * *" 01-01T00:01:00Z`)
	})
}

func TestFire_InOrderWithOneAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.deps.AtOnce = 1
		w.sync(timedBy("b", "*/2 * * * *", "* * * * *"), timedBy("a", "* * * * *"))
		s := w.scheduler()
		if next := s.Next(); next.Format(time.TimeOnly) != "00:01:00" {
			t.Errorf("next at %v", next)
		}
		if err := s.Fire(t.Context()); err != nil || len(w.fired()) > 0 {
			t.Errorf("fired %v, %v", w.fired(), err)
		}
		pass(2 * time.Minute)
		for range 3 {
			if err := s.Fire(t.Context()); err != nil {
				t.Error(err)
			}
		}
		first := timedBy("a").ID
		order := []string{`a "* * * * *" 01-01T00:02:00Z`, `b "* * * * *" 01-01T00:02:00Z`}
		if other := timedBy("b").ID; slices.Compare(other[:], first[:]) < 0 {
			slices.Reverse(order)
		}
		if diff := cmp.Diff(append(order, `b "*/2 * * * *" 01-01T00:02:00Z`), w.fired()); diff != "" {
			t.Errorf("fired -want +got:\n%s", diff)
		}
	})
}

func TestNext_IsZeroWhenThereIsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("never", "0 0 30 2 *"), timedBy("none"))
		s := w.scheduler()
		if next := s.Next(); !next.IsZero() {
			t.Errorf("next at %v", next)
		}
		w.sync(timedBy("fn", "* * * * *"))
		if next := s.Next(); !next.Equal(w.clock.Now()) {
			t.Errorf("next at %v although a schedule is to be read", next)
		}
	})
}

func TestRun_EndsWhenTheStoreIsClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("fn", "* * * * *"))
		s := w.scheduler()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(t.Context()) }()
		w.backend.Close()
		if err := <-ended; err != nil || strings.Contains(w.logged.String(), "level=ERROR") {
			t.Errorf("ended with %v, logged %s", err, w.logged)
		}
		if time.Now().Format(time.TimeOnly) != "00:01:00" {
			t.Errorf("ended at %v", time.Now())
		}
	})
}

func TestRun_SchedulesThatCannotBeReadStartNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.sync(timedBy("bad", "soon", "TZ=Nowhere/X * * * * *"), timedBy("good", "@every 90s", "TZ=Local @hourly", "soon"))
		w.deps.Zone = time.FixedZone("half", 1800)
		defer w.run()()
		pass(time.Hour)
		got := w.fired()
		hourly := slices.Index(got, `good "TZ=Local @hourly" 01-01T00:30:00Z`)
		if len(got) != 41 || got[0] != `good "@every 90s" 01-01T00:01:30Z` || hourly < 0 {
			t.Errorf("fired %v", got)
		}
		if n := strings.Count(w.logged.String(), "schedule cannot be read; it starts nothing"); n != 3 {
			t.Errorf("logged %s", w.logged)
		}
	})
}

// TestRun_ARunWithAKeyThatWasUsed is not started again: the place of its schedule was lost.
func TestRun_ARunWithAKeyThatWasUsed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		fn := timedBy("fn", "* * * * *")
		w.sync(fn)
		stop := w.run()
		pass(time.Minute)
		stop()
		ticks, err := w.backend.Ticks(t.Context(), fn.ID)
		if err != nil || len(ticks) != 1 {
			t.Fatalf("ticks %v, %v", ticks, err)
		}
		back := ticks[0]
		back.Previous, back.At = ticks[0].At, ticks[0].At.Add(-30*time.Second)
		if _, err := w.backend.Schedule(t.Context(), ports.Schedule{Ticks: []ports.Tick{back}}); err != nil {
			t.Fatal(err)
		}
		defer w.run()()
		pass(time.Second)
		w.wants(`fn "* * * * *" 01-01T00:01:00Z`)
		if !strings.Contains(w.logged.String(), "reason=idempotency") {
			t.Errorf("logged %s", w.logged)
		}
	})
}

// TestFire_ASlowReadIsNoClockThatWasSetBack: while the scheduler reads where the schedule is, another server fires for half an hour.
func TestFire_ASlowReadIsNoClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		fn := timedBy("fn", "*/10 * * * *")
		w.sync(fn)
		s := w.scheduler()
		place := w.clock.Now()
		elsewhere := func() {
			tick := ports.Tick{FunctionID: fn.ID, Expression: "*/10 * * * *", At: place.Add(10 * time.Minute), Previous: place}
			if _, err := w.backend.Schedule(t.Context(), ports.Schedule{Ticks: []ports.Tick{tick}}); err != nil {
				t.Error(err)
			}
			place = tick.At
		}
		pass(10 * time.Minute)
		elsewhere()
		if err := s.Fire(t.Context()); err != nil { // a conflict
			t.Fatal(err)
		}
		w.catalog.spoil = func(_ int, next func() ([]ports.Tick, error)) ([]ports.Tick, error) {
			for range 2 {
				time.Sleep(10 * time.Minute)
				elsewhere()
			}
			return next()
		}
		for range 2 {
			if err := s.Fire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if events := w.backend.AllEvents(); len(events) != 0 {
			t.Errorf("%d ticks that were dealt with fire again", len(events))
		}
		if next := s.Next(); !next.Equal(place.Add(10 * time.Minute)) {
			t.Errorf("next at %v", next)
		}
	})
}
