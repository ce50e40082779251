package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// runAt is a run that was made at an instant.
func runAt(at time.Time) ulid.ULID {
	id := ulid.ULID{15: 1}
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic(err)
	}
	return id
}

// TestScore is the rule of spec 09 §6.
func TestScore(t *testing.T) {
	t.Parallel()
	run := epoch.Add(-time.Minute)
	for name, c := range map[string]struct {
		kind   string
		factor int
		at     time.Duration
		want   time.Time
	}{
		"a start":                        {"start", 0, 0, run},
		"a step":                         {"edge", 0, 0, run},
		"a failed step":                  {"edge-error", 0, 0, run},
		"a request of a step":            {"gateway", 0, 0, run},
		"a sleep that is over":           {"sleep", 0, 0, run},
		"a wait that is over":            {"pause", 0, 0, run},
		"a start, prior":                 {"start", 100, 0, run.Add(-100 * time.Second)},
		"a step, prior":                  {"edge", 100, 0, run.Add(-100 * time.Second)},
		"a failed step, prior":           {"edge-error", 100, 0, run.Add(-100 * time.Second)},
		"a request of a step, prior":     {"gateway", 100, 0, run.Add(-100 * time.Second)},
		"a sleep has no priority":        {"sleep", 100, 0, run},
		"a wait has no priority":         {"pause", 100, 0, run},
		"a start, delayed":               {"start", -90, 0, run.Add(90 * time.Second)},
		"a start in two seconds":         {"start", 5, 2 * time.Second, run.Add(-5 * time.Second)},
		"a start in more":                {"start", 5, 2*time.Second + 1, epoch.Add(2*time.Second + 1)},
		"a start in an hour":             {"start", 43200, time.Hour, epoch.Add(time.Hour)},
		"a start in an hour, delayed":    {"start", -43200, time.Hour, epoch.Add(time.Hour)},
		"a sleep":                        {"sleep", 0, time.Hour, epoch.Add(time.Hour)},
		"a step that was due":            {"edge", 0, -time.Second, run},
		"a run of the future":            {"start", 0, -time.Hour, epoch.Add(-time.Hour)},
		"a cancellation":                 {"cancel", 100, 0, epoch},
		"a cancellation that was due":    {"cancel", 100, -time.Second, epoch.Add(-time.Second)},
		"a debounce":                     {"debounce", 100, time.Second, epoch.Add(time.Second)},
		"a batch has a time of its own":  {"schedule-batch", 0, 0, epoch},
		"a kind that nobody knows of":    {"", 100, 0, epoch},
		"the smallest factor is 12 h":    {"start", -MaxFactor, 0, run.Add(12 * time.Hour)},
		"the largest factor is 12 h too": {"start", MaxFactor, 0, run.Add(-12 * time.Hour)},
	} {
		got := Score(Place{Kind: c.kind, Run: runAt(run), Factor: c.factor, At: epoch.Add(c.at)}, epoch)
		if want := c.want.UnixMilli(); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := Score(Place{Kind: "start", Factor: 5, At: epoch}, epoch); got != epoch.UnixMilli() {
		t.Errorf("a job of no run: %d", got)
	}
}

// TestScore_Observed are the runs of spec 11 §9: with room for one, factors 100, 50, 0, 0 start in this order, whatever the order in which
// they came; -10 is a delay of 10 s even when nothing waits.
func TestScore_Observed(t *testing.T) {
	t.Parallel()
	type waiting struct {
		factor int
		score  int64
	}
	var queue []waiting
	for n, factor := range []int{0, 50, 0, 100} {
		came := epoch.Add(time.Duration(n) * 100 * time.Millisecond)
		queue = append(queue, waiting{factor, Score(Place{Kind: "start", Run: runAt(came), Factor: factor, At: came}, came)})
	}
	slices.SortFunc(queue, func(a, b waiting) int { return int(a.score - b.score) })
	var order []int
	for _, one := range queue {
		order = append(order, one.factor)
	}
	if diff := cmp.Diff([]int{100, 50, 0, 0}, order); diff != "" {
		t.Error(diff)
	}
	if got := Score(Place{Kind: "start", Run: runAt(epoch), Factor: -10, At: epoch}, epoch) - epoch.UnixMilli(); got != 10_000 {
		t.Errorf("delayed by %d ms, want 10 s", got)
	}
}

// TestScore_IsItsModel: the rule again in seconds of a life of runs, and what follows from it for any two jobs.
func TestScore_IsItsModel(t *testing.T) {
	t.Parallel()
	kinds := []string{"start", "edge", "edge-error", "sleep", "pause", "gateway", "cancel", "debounce"}
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) (Place, time.Time) {
			made := epoch.Add(-time.Duration(rapid.Int64Range(0, 100_000).Draw(r, name+" made")) * time.Millisecond)
			return Place{
				Kind: rapid.SampledFrom(kinds).Draw(r, name+" kind"), Run: runAt(made),
				Factor: rapid.IntRange(-MaxFactor, MaxFactor).Draw(r, name+" factor"),
				At:     epoch.Add(time.Duration(rapid.Int64Range(-5000, 5000).Draw(r, name+" at")) * time.Millisecond),
			}, made
		}
		model := func(p Place, made time.Time) int64 {
			if p.Kind == "cancel" || p.Kind == "debounce" || p.At.Sub(epoch) > 2*time.Second {
				return p.At.UnixMilli()
			}
			if p.At.Before(made) {
				made = p.At
			}
			if p.Kind == "sleep" || p.Kind == "pause" {
				return made.UnixMilli()
			}
			return made.Add(-time.Duration(p.Factor) * time.Second).UnixMilli()
		}
		one, made := draw("one")
		if got, want := Score(one, epoch), model(one, made); got != want {
			r.Fatalf("%+v: %d, want %d", one, got, want)
		}
		if one.At.Before(epoch.Add(2 * time.Second)) {
			higher := one
			higher.Factor++
			if Score(higher, epoch) > Score(one, epoch) {
				r.Fatalf("%+v comes after one with a lower factor", higher)
			}
		}
	})
}
