package yield

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/adapters/system"
)

func TestKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		took time.Duration
		jobs uint64
		want time.Duration
	}{
		{"nothing to do", 5 * time.Millisecond, 0, 0},
		{"one job by chance", 10 * time.Microsecond, 1, 0},
		{"few jobs", time.Second, busy - 1, 0},
		{"many jobs", 5 * time.Millisecond, 2, 45 * time.Millisecond},
		{"a long request", 3 * time.Second, 30_000, longest},
		{"a clock that stands still", 0, 5, 0},
	} {
		if got := kept(c.took, c.jobs); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestGate_LeavesMostOfTheTime has readers ask without a pause for a minute, each request taking 10 ms.
func TestGate_LeavesMostOfTheTime(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]int{"busy": 5000, "idle": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				g := New(func() uint64 { return uint64(time.Since(begin).Seconds() * float64(rate)) }, system.Clock{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				answered := make(chan int)
				const each = 10 * time.Millisecond
				for range 20 {
					go func() {
						n := 0
						for {
							leave, err := g.Enter(ctx)
							if err != nil {
								answered <- n
								return
							}
							time.Sleep(each)
							leave()
							n++
						}
					}()
				}
				total := 0
				for range 20 {
					total += <-answered
				}
				full := int(time.Minute/each) * runtime.GOMAXPROCS(0)
				if want := map[string]int{"busy": full / 10, "idle": full}[name]; total < want*9/10 || total > want*11/10 {
					t.Errorf("%d requests were answered, want about %d", total, want)
				}
			})
		})
	}
}

func TestGate_ATurnIsNotWaitedForBeyondTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(func() uint64 { return 0 }, system.Clock{})
		for range runtime.GOMAXPROCS(0) {
			if _, err := g.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
