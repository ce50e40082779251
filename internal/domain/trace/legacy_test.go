package trace

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// opRow is the row of a step of another kind than those that apps run.
func opRow(id, op string, status Status, start, end int, pairs ...any) Span {
	return withOutput(below(NameStep, id, status, start, append([]any{
		"step.id", id, "step.name", id, "step.op", op, "started_at", start, "ended_at", end, "queued_at", start, "job.group.id", "g" + id,
	}, pairs...)...))
}

// TestLegacyTree_Ops are the rules of spec 05 §9.2 that are not those of the new tree.
func TestLegacyTree_Ops(t *testing.T) {
	t.Parallel()
	ends := func(status Status, limit int) Span {
		return withOutput(rootEnds(status, 20, "is.function.output", true, "ingot.call.started_at", 15, "job.id", "k", "job.group.id", GroupID("k"), "step.max_attempts", limit))
	}
	erred := withOutput(below(NameNonStep, NonStepID(GroupID("k"), 0), Errored, 5, "started_at", 5, "ended_at", 9, "job.id", "k", "job.group.id", GroupID("k"), "step.attempt", 0))
	end := NonStepID(GroupID("k"), 1)
	for name, c := range map[string]struct {
		rows []Span
		want []string
	}{
		"a function that may not be tried again has used all its attempts": {
			[]Span{ends(Failed, 1)}, []string{"FAILED 2..20 >end", "  function error FAILED #1 15..20 >end", "    Attempt 0 FAILED 15..20 >end"},
		},
		"a function that fails for good before": {
			[]Span{ends(Failed, 2)}, []string{"FAILED 2..20 >end", "  function error FAILED 15..20 >end", "    Attempt 0 FAILED 15..20 >end"},
		},
		"the output of a function that was tried again is that of the group": {
			[]Span{
				erred, ends(Completed, 0),
				withOutput(below(NameNonStep, end, Completed, 15, "started_at", 15, "ended_at", 20, "job.group.id", GroupID("k"), "step.attempt", 1)),
			},
			[]string{
				"COMPLETED 2..20 >" + end, "  function success COMPLETED #1 5..20 >" + end, "    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("k"), 0),
				"    Attempt 1 COMPLETED #1 15..20",
			},
		},
		"a step that failed for good has no kind, nor do its attempts": {
			[]Span{stepRow("x", step1, "one", Errored, 5, 6, 0, "j"), stepRow("y", step1, "one", Failed, 8, 9, 1, "j", "step.op", "StepError", "step.max_attempts", 2), ends(Completed, 0)},
			[]string{
				"COMPLETED 2..20 >end", "  one FAILED #2 5..9 >y", "    Attempt 0 FAILED 5..6 >x", "    Attempt 1 FAILED #1 8..9 >y", "  function success COMPLETED 15..20 >end",
			},
		},
		"an attempt that does not know its number comes after the one before": {
			[]Span{stepRow("x", step1, "one", Errored, 5, 6, 1, "j"), stepRow("y", step1, "one", Completed, 8, 9, 0, "j"), ends(Completed, 0)},
			[]string{
				"COMPLETED 2..20 >end", "  one COMPLETED #2 RUN 5..9 >y", "    Attempt 1 FAILED #1 RUN 5..6 >x", "    Attempt 2 COMPLETED #2 RUN 8..9 >y",
				"  function success COMPLETED 15..20 >end",
			},
		},
		"a sleep after an attempt that failed": {
			[]Span{
				below(NameNonStep, "n", Errored, 2, "started_at", 2, "ended_at", 3, "job.group.id", "g", "step.attempt", 0),
				below(NameStep, "nap", Sleeping, 5, "step.id", "nap", "step.name", "nap", "step.op", "Sleep", "started_at", 5, "queued_at", 5, "step.attempt", 1, "job.group.id", "g", "step.sleep.duration", 7),
			},
			[]string{"QUEUED -..-", "  nap RUNNING SLEEP 5..-", "    Attempt 0 FAILED 2..3", "    Attempt 1 RUNNING SLEEP 5..-"},
		},
		"a request that is made again": {
			[]Span{opRow("ask", "AIGateway", Errored, 7, 8, "step.attempt", 0, "step.max_attempts", 2)},
			[]string{"QUEUED -..-", "  ask RUNNING AI_GATEWAY 7..-", "    Attempt 0 FAILED AI_GATEWAY 7..8 >ask", "    Attempt 1 QUEUED #1 -..-"},
		},
		"requests": {
			[]Span{opRow("get", "Gateway", Completed, 5, 6), opRow("ask", "AIGateway", Failed, 7, 8, "step.attempt", 0, "step.max_attempts", 1), ends(Completed, 0)},
			[]string{"COMPLETED 2..20 >end", "  get COMPLETED 5..6 >get", "  ask FAILED AI_GATEWAY 7..8 >ask", "  function success COMPLETED 15..20 >end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := LegacyTree(append([]Span{rootRow()}, c.rows...), Live{}, "")
			if err != nil {
				t.Fatal(err)
			}
			want := append([]string{"acme-hello " + c.want[0]}, c.want[1:]...)
			if diff := cmp.Diff(want, outline(root)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestLegacyTree_Outputs tells which results are shown in their wrapper, and that no node tells its group.
func TestLegacyTree_Outputs(t *testing.T) {
	t.Parallel()
	for op, wrapped := range map[string]bool{
		"StepRun": false, "StepError": false, "WaitForEvent": false, "InvokeFunction": true, "WaitForSignal": true, "Gateway": true, "AIGateway": true,
	} {
		root, err := LegacyTree([]Span{rootRow(), opRow("s", op, Completed, 5, 6)}, Live{}, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := root.Children[0]; got.Output == nil || got.Output.Wrapped != wrapped || got.Output.Preview || got.Group != "" {
			t.Errorf("%s: output %+v of group %q", op, got.Output, got.Group)
		}
	}
}
