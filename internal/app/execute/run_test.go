package execute

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// running runs an executor until the test stops it; ended tells how long after the stop it returned.
func (w *world) running() (stop context.CancelFunc, ended <-chan time.Duration) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan time.Duration, 1)
	var stopped time.Time
	go func() {
		if err := w.executor().Run(ctx); err != nil {
			w.t.Error(err)
		}
		done <- time.Since(stopped)
	}()
	return func() { stopped = time.Now(); cancel() }, done
}

func TestRun_WorksOffJobsSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.config.Workers = 3
		var inHand peak
		w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) {
			inHand.add(1)
			defer inHand.add(-1)
			time.Sleep(time.Second)
			return reply(200, `1`), nil
		}}
		for range 9 {
			w.start()
		}
		stop, ended := w.running()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, record := range w.backend.Runs() {
			if record.Status != run.Completed {
				t.Error("9 calls of a second, 3 at once, take more than 3 seconds")
			}
		}
		if n := inHand.max(); n != 3 {
			t.Errorf("%d calls at once, want 3", n)
		}
		stop()
		if took := <-ended; took != 0 {
			t.Errorf("ended %s after the stop", took)
		}
	})
}

func TestRun_WaitsForCallsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.app.answers = []answer{func(context.Context, ports.Call) (sdk.Response, error) {
			time.Sleep(19 * time.Second)
			return reply(200, `"in time"`), nil
		}}
		id := w.start()
		stop, ended := w.running()
		synctest.Wait()
		w.start() // nobody takes this one any more
		stop()
		if took := <-ended; took != 19*time.Second {
			t.Errorf("ended %s after the stop", took)
		}
		if record := w.record(id); record.Status != run.Completed {
			t.Errorf("run is %s", record.Status)
		}
	})
}

func TestRun_CutsOffCallsAfterTheDrain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config Config
		want   time.Duration
	}{
		"of the default":       {Config{Workers: 2}, 20 * time.Second},
		"of the configuration": {Config{Workers: 2, Drain: time.Second}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := setup(t)
				w.config = c.config
				var cause error
				w.app.answers = []answer{func(ctx context.Context, _ ports.Call) (sdk.Response, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return sdk.Response{}, cause
				}}
				id := w.start()
				stop, ended := w.running()
				synctest.Wait()
				stop()
				if took := <-ended; took != c.want {
					t.Errorf("ended %s after the stop, want %s", took, c.want)
				}
				if !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("the call was cut off for %v", cause)
				}
				if text := w.logged.String(); !strings.Contains(text, "job handed back at shutdown") || strings.Contains(text, "level=ERROR") {
					t.Errorf("logged %s", text)
				}

				w.backend.Crash() // the next start of the server
				again := w.lease()
				if again.Job.Attempt != 0 || again.Generation != 2 || w.record(id).Status != run.Running {
					t.Errorf("after the next start the job is %+v of a run %s", again, w.record(id).Status)
				}
			})
		})
	}
}

func TestRun_EndsWhenStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.start()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := w.executor().Run(ctx); err != nil {
			t.Fatal(err)
		}
		w.lease() // which is still there
	})
}

func TestRun_OutlivesAClosedQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		stop, ended := w.running()
		synctest.Wait()
		w.backend.Close()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("ended without being stopped")
		default:
		}
		stop()
		<-ended
	})
}

func TestRun_GivesBackAJobLeasedInTheMomentOfTheStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.config.Workers = 1
		id := w.start()
		late := &queue{Queue: w.backend.Queue()}
		late.lease = func(ctx context.Context) (ports.Lease, error) {
			<-ctx.Done()
			return w.lease(), nil
		}
		w.deps.Queue = late
		stop, ended := w.running()
		synctest.Wait()
		stop()
		<-ended
		if w.app.count() != 0 || late.calls["return"] != 1 {
			t.Errorf("%d calls, given back %d times", w.app.count(), late.calls["return"])
		}
		if lease := w.lease(); lease.Job.RunID != id || lease.Job.Attempt != 0 {
			t.Errorf("leased %+v", lease)
		}
	})
}

func TestRun_AsksAFailingQueueLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		w.config.Workers = 1
		w.deps.Pause = nil // the executor's own
		begin := time.Now()
		var mu sync.Mutex
		var asked []time.Duration
		failing := &queue{Queue: w.backend.Queue()}
		failing.lease = func(ctx context.Context) (ports.Lease, error) {
			if ctx.Err() != nil {
				return ports.Lease{}, ctx.Err()
			}
			mu.Lock()
			asked = append(asked, time.Since(begin))
			n := len(asked)
			mu.Unlock()
			if n == 12 {
				return w.backend.Lease(ctx)
			}
			return ports.Lease{}, ports.ErrUnavailable
		}
		w.deps.Queue = failing
		w.app.answers = []answer{says(200, `1`)}
		w.start()
		stop, ended := w.running()
		time.Sleep(20*time.Second + 260*time.Millisecond)
		synctest.Wait()
		stop()
		if took := <-ended; took != 0 {
			t.Errorf("a pause held up the end by %s", took)
		}
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		want := []time.Duration{
			0, ms(20), ms(60), ms(140), ms(300), ms(620), ms(1260), ms(2540), ms(5100), ms(10100), ms(15100), ms(20100),
			ms(20100), ms(20120), ms(20160), ms(20240), // after a success it begins anew
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked -want +got:\n%s", diff)
		}
	})
}

func TestNew_FillsInDefaults(t *testing.T) {
	t.Parallel()
	x := New(Deps{}, Config{})
	if x.config.Workers != 100 || x.config.Drain != 20*time.Second || x.pause == nil {
		t.Errorf("config is %+v", x.config)
	}
}
