package metadata

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/ids"
)

func TestOfScores(t *testing.T) {
	t.Parallel()
	step := "a step"
	got, err := OfScores([]Score{
		{Name: "quality", Value: json.RawMessage(`0.5`)},
		{Name: "ok", Value: json.RawMessage(`true`), StepID: &step},
		{Name: "best", Value: json.RawMessage(`1`), Experiment: &Experiment{ID: `an "experiment"`, Variant: "b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Update{
		{Target: OfRun(), Kind: "inngest.score", Op: Merge, Values: Values{"quality": json.RawMessage(`{"value":0.5}`)}},
		{Target: OfStep(ids.StepHash(step, 0), FinalAttempt), Kind: "inngest.score", Op: Merge, Values: Values{"ok": json.RawMessage(`{"value":true}`)}},
		{Target: OfRun(), Kind: "inngest.score", Op: Merge, Values: Values{"best": json.RawMessage(`{"value":1}`)}},
		{Target: OfRun(), Kind: "inngest.experiment", Op: Merge, Values: Values{
			"name": json.RawMessage(`"an \"experiment\""`), "variant": json.RawMessage(`"b"`),
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOfScores_Refuses(t *testing.T) {
	t.Parallel()
	one, empty, step := json.RawMessage(`1`), "", "s"
	tests := map[string]struct {
		score Score
		want  string
	}{
		"no name":                {Score{Value: one}, "Score name is required"},
		"no value":               {Score{Name: "n"}, "Score value is required"},
		"a null":                 {Score{Name: "n", Value: json.RawMessage(`null`)}, "Score value is required"},
		"a text":                 {Score{Name: "n", Value: json.RawMessage(`"1"`)}, "Score value must be a finite number or boolean"},
		"a number out of bounds": {Score{Name: "n", Value: json.RawMessage(`1e999`)}, "Score value must be a finite number or boolean"},
		"an empty step":          {Score{Name: "n", Value: one, StepID: &empty}, "Step ID must not be empty when provided"},
		"a step's experiment":    {Score{Name: "n", Value: one, StepID: &step, Experiment: &Experiment{"e", "v"}}, "Experiment scores must be run-scoped"},
		"an experiment's ID":     {Score{Name: "n", Value: one, Experiment: &Experiment{"", "v"}}, "Experiment ID is required when experiment is provided"},
		"an experiment's variant": {
			Score{Name: "n", Value: one, Experiment: &Experiment{"e", ""}}, "Experiment variant is required when experiment is provided",
		},
		"a long name":  {Score{Name: strings.Repeat("n", 129), Value: one}, badScores},
		"a quote":      {Score{Name: "it's", Value: one}, badScores},
		"a line break": {Score{Name: "a\nb", Value: one}, badScores},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := OfScores([]Score{{Name: "fine", Value: one}, test.score}); err == nil || err.Error() != "scores[1]: "+test.want {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := OfScores(nil); err == nil || err.Error() != "At least one score is required" {
		t.Errorf("error of none: %v", err)
	}
	if _, err := OfScores(make([]Score, 101)); err == nil || err.Error() != "At most 100 scores are allowed" {
		t.Errorf("error of 101: %v", err)
	}
}
