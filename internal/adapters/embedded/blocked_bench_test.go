package embedded

import (
	"fmt"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
)

// BenchmarkTwoFullKeys has cells that all need a place in two limits, of steps and of runs, which become free in turns while the other is
// full. What two runs cost must not grow with who waits.
func BenchmarkTwoFullKeys(b *testing.B) {
	for _, cells := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("cells=%d", cells), func(b *testing.B) {
			two := newTwoKeys(b, cells)
			for b.Loop() {
				two.round()
			}
		})
	}
}

// twoKeys is a queue in which one step and two runs may be in progress, and a run for each of many keys waits.
type twoKeys struct {
	testing.TB
	q     *queue
	clock *handClock
	// queue adds a run that waits.
	queue  func()
	inHand *item
	// asleep are the runs in progress that have no step in hand.
	asleep []run.State
}

func newTwoKeys(tb testing.TB, cells int) *twoKeys {
	tb.Helper()
	q, clock := bareQueue()
	of := controls(tb, benchFunction, function.Settings{Concurrency: &function.Concurrency{
		Step: []function.StepLimit{{Limit: 1, Scope: function.ScopeFunction}, {Limit: 1, Key: "event.data.k", Scope: function.ScopeFunction}},
		Run:  []function.RunLimit{{Limit: 2}},
	}})
	q.Limit(benchFunction, of)
	keys := make([]*flow.Keys, cells)
	for i := range keys {
		keys[i] = keysFor(of, fmt.Sprint(i))
	}
	two, added := &twoKeys{TB: tb, q: q, clock: clock}, 0
	two.queue = func() {
		it := newItem(run.Job{RunID: ulid.Make(), ID: "job", Kind: run.KindStart, At: clock.now}, nil)
		_ = it.run.SetTime(ulid.Timestamp(clock.now))
		q.apply(changes{added: []addedJob{{it, benchFunction, keys[added%cells]}}})
		added++
	}
	for range cells {
		two.queue()
	}
	two.take()
	two.sleep()
	two.take()
	return two
}

// round ends two runs and starts two.
func (two *twoKeys) round() {
	two.sleep() // there is room for a step, but not for a run
	two.nothing()
	two.end()
	two.take()
	two.end() // there is room for a run, but not for a step
	two.nothing()
	two.sleep()
	two.take()
}

// take gives the one job that has room to the caller, and queues another.
func (two *twoKeys) take() {
	two.inHand = two.q.take()
	if two.inHand == nil {
		two.Fatal("a job waits though it has room")
	}
	delete(two.q.unwritten, two.inHand)
	two.nothing()
	two.queue()
	two.nothing()
}

func (two *twoKeys) nothing() {
	if two.q.take() != nil {
		two.Fatal("a job without room was handed out")
	}
}

// sleep ends the step in hand, but not its run.
func (two *twoKeys) sleep() {
	two.asleep = append(two.asleep, run.State{ID: two.inHand.run, FunctionID: benchFunction})
	two.inHand.state = itemSettling
	two.q.apply(changes{current: two.inHand, fate: run.Disposition{Fate: run.FateDone}})
}

// end ends a run that sleeps.
func (two *twoKeys) end() {
	two.q.apply(changes{ended: &two.asleep[0]})
	two.asleep = two.asleep[1:]
}
