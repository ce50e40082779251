package trace

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTree_StatusDoesNotGoBack: whichever of its rows has the earlier time, and in whatever order they are read, a run that has begun is
// not queued, and one that has ended is not in progress.
func TestTree_StatusDoesNotGoBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		steps := []Status{Queued, rapid.SampledFrom([]Status{Running, Waiting}).Draw(t, "progress"), rapid.SampledFrom([]Status{Completed, Failed, Cancelled, Skipped}).Draw(t, "end")}
		known := rapid.IntRange(1, len(steps)).Draw(t, "known")
		rows := []Span{rootRow()}
		for i := 1; i < known; i++ {
			rows = append(rows, extend(rootID(), string(steps[i]), NoParent, steps[i], 0))
		}
		for i := range rows { // the clocks of who wrote them need not agree
			rows[i].Start = rows[i].Start.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "skew")) * time.Microsecond)
			rows[i].End = rows[i].Start.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "length")) * time.Microsecond)
		}
		want := nodeStatus(steps[known-1])
		rows = rapid.Permutation(rows).Draw(t, "rows")
		for name, rows := range map[string][]Span{"as made": rows, "put together": Merge(slices.Clone(rows))} {
			root, err := Tree(rows, Live{})
			if err != nil {
				t.Fatal(err)
			}
			if root.Status != want {
				t.Fatalf("%s: root is %s, want %s", name, root.Status, want)
			}
		}
	})
}

func TestStatus_Then(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, later, want Status }{
		{"", "", ""}, {"", Queued, Queued}, {Queued, "", Queued}, {Queued, Running, Running}, {Running, Queued, Running}, {"Scheduled", Queued, Queued},
		{Running, Sleeping, Sleeping}, {Sleeping, Running, Running}, {Completed, Invoking, Completed}, {Errored, Failed, Failed}, {Skipped, Running, Skipped},
		{Waiting, TimedOut, TimedOut},
	} {
		if got := c.before.then(c.later); got != c.want {
			t.Errorf("%q, then %q: %q, want %q", c.before, c.later, got, c.want)
		}
	}
}

// TestTree_UserlandBelowAttempts: SDKs make the ID of an attempt themselves, and hang the app's spans below it.
func TestTree_UserlandBelowAttempts(t *testing.T) {
	t.Parallel()
	rows := []Span{
		rootRow(), stepRow(AttemptID(step1, 0), step1, "one", Errored, 2, 3, 0, "j"), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 1, "j"),
		stepRow(StepID(step2), step2, "two", Completed, 10, 12, 0, "k"),
		row(NameUserland, "u0", AttemptID(step1, 0), "", 2, "userland.name", "of the first"),
		row(NameUserland, "u1", AttemptID(step1, 1), "", 6, "userland.name", "of the second"),
		row(NameUserland, "u2", AttemptID(step2, 0), "", 11, "userland.name", "of the other"),
		row(NameUserland, "u3", AttemptID(step2, 1), "", 12, "userland.name", "of none"),
	}
	root, err := Tree(rows, Live{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range outline(root) {
		fields := strings.SplitN(line, " COMPLETED", 2)
		got = append(got, strings.SplitN(fields[0], " FAILED", 2)[0])
	}
	want := []string{
		"Run QUEUED -..-", "  one", "    Attempt 0", "      of the first", "    Attempt 1", "      of the second", "  two", "    of the other", "  of none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSleepMS: of the beginning as it is kept and this, the end comes out as the app named it.
func TestSleepMS(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := testAt.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "now")))
		until := at(rapid.IntRange(1000, 5000).Draw(t, "until"))
		if got := millisecond(now).Add(time.Duration(sleepMS(now, until)) * time.Millisecond); !got.Equal(until) {
			t.Fatalf("from %s the sleep ends at %s, want %s", now, got, until)
		}
		wait := time.Duration(rapid.IntRange(0, 5000).Draw(t, "wait")) * time.Millisecond
		if got := sleepMS(now, now.Add(wait)); got != int(wait.Milliseconds()) {
			t.Fatalf("a sleep of %s is kept as %d ms", wait, got)
		}
	})
}
