package route

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
)

// running runs a router until the test stops it; ended tells how long after the stop it returned.
func (w *world) running() (stop context.CancelFunc, ended <-chan time.Duration) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan time.Duration, 1)
	var stopped time.Time
	go func() {
		if err := w.router().Run(ctx); err != nil {
			w.t.Error(err)
		}
		done <- time.Since(stopped)
	}()
	return func() { stopped = time.Now(); cancel() }, done
}

func TestRun_RoutesWhatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		stop, ended := w.running()
		synctest.Wait()
		for range 3 {
			w.send(anEvent())
			synctest.Wait()
		}
		if !w.backend.Idle() {
			t.Error("events are left")
		}
		stop()
		if took := <-ended; took != 0 {
			t.Errorf("ended %s after the stop", took)
		}
	})
}

func TestRun_RoutesABoundedNumberAtOnceAndWaitsForThemAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		var inHand peak
		w.deps.Store = &store{Store: w.backend, schedule: func(next func() ([]ports.Scheduled, error), _ ports.Schedule) ([]ports.Scheduled, error) {
			inHand.add(1)
			defer inHand.add(-1)
			time.Sleep(time.Minute)
			return next()
		}}
		w.deps.Functions = nothing{}
		for range inFlight + takeMax + 10 {
			w.send(anEvent())
		}
		stop, ended := w.running()
		synctest.Wait()
		if n := inHand.max(); n != inFlight {
			t.Errorf("%d events at once, want %d", n, inFlight)
		}
		stop()
		if took := <-ended; took != 2*time.Minute {
			t.Errorf("ended %s after the stop, want the time of those in hand and of those taken", took)
		}
		if left := len(w.backend.TryTake(1000)); left != 10 {
			t.Errorf("%d events are left, want the 10 that were not taken", left)
		}
	})
}

// nothing is a registry without functions, for many routers at once.
type nothing struct{ Functions }

func (nothing) Match(event.Event, time.Time) []Match { return nil }

func TestRun_EndsWhenTheLogIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		_, ended := w.running()
		synctest.Wait()
		w.backend.Close()
		<-ended
	})
}

func TestRun_AsksAFailingLogLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.deps.Pause = nil // the router's own
		begin := time.Now()
		var asked []time.Duration
		w.deps.EventLog = &eventLog{EventLog: w.backend, take: func(ctx context.Context, most int) ([]event.Tracked, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			asked = append(asked, time.Since(begin))
			if len(asked) == 11 {
				return w.backend.Take(ctx, most)
			}
			return nil, ports.ErrUnavailable
		}}
		w.send(anEvent())
		stop, ended := w.running()
		time.Sleep(15*time.Second + 150*time.Millisecond)
		stop()
		if took := <-ended; took != 0 {
			t.Errorf("a pause held up the end by %s", took)
		}
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		want := []time.Duration{
			0, ms(20), ms(60), ms(140), ms(300), ms(620), ms(1260), ms(2540), ms(5100), ms(10100), ms(15100),
			ms(15100), ms(15120), // after a success it begins anew
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked -want +got:\n%s", diff)
		}
		if !w.backend.Idle() {
			t.Error("the event is left")
		}
	})
}
