package run

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

var earlier = []Step{
	{ID: "h1", Name: "fetch", Op: sdk.OpStepRun, Memo: json.RawMessage(`{"data":1}`)},
	{ID: "h2", Name: "nap", Op: sdk.OpSleep, Memo: json.RawMessage(`null`)},
	{ID: "h3", Name: "fetch", Op: sdk.OpStepFailed, Memo: json.RawMessage(`{"error":{}}`)},
	{ID: "nap", Name: "odd", Op: sdk.OpStepRun, Memo: json.RawMessage(`{"data":2}`)},
}

func TestResume_TakesOverWhatCameBefore(t *testing.T) {
	t.Parallel()
	input := json.RawMessage(`[7]`)
	for name, c := range map[string]struct {
		from From
		want Resumed
	}{
		"the first step":           {From{Step: "h1"}, Resumed{Steps: earlier[:0], Target: "h1"}},
		"a step that failed":       {From{Step: "h3"}, Resumed{Steps: earlier[:2], Target: "h3"}},
		"an ID before a name":      {From{Step: "nap"}, Resumed{Steps: earlier[:3], Target: "nap"}},
		"a name":                   {From{Step: "odd"}, Resumed{Steps: earlier[:3], Target: "nap"}},
		"a sleep is asked for":     {From{Step: "h2"}, Resumed{Steps: earlier[:1]}},
		"other arguments":          {From{Step: "h1", Input: input}, Resumed{Steps: earlier[:0], Target: "h1", Inputs: map[string]json.RawMessage{"h1": input}}},
		"no arguments":             {From{Step: "h1", Input: json.RawMessage(`[]`)}, Resumed{Steps: earlier[:0], Target: "h1", Inputs: map[string]json.RawMessage{"h1": json.RawMessage(`[]`)}}},
		"other arguments of sleep": {From{Step: "h2", Input: input}, Resumed{Steps: earlier[:1], Inputs: map[string]json.RawMessage{"h2": input}}},
	} {
		got, err := Resume(earlier, c.from)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestResume_RefusesByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from From
		want error
	}{
		"no such step":         {From{Step: "h9"}, ErrNoSuchStep},
		"no step":              {From{}, ErrNoSuchStep},
		"two of the name":      {From{Step: "fetch"}, ErrAmbiguousStep},
		"an object":            {From{Step: "h1", Input: json.RawMessage(`{}`)}, ErrStepInput},
		"half a list":          {From{Step: "h1", Input: json.RawMessage(`[1`)}, ErrStepInput},
		"null":                 {From{Step: "h1", Input: json.RawMessage(`null`)}, ErrStepInput},
		"two lists":            {From{Step: "h1", Input: json.RawMessage(`[1][2]`)}, ErrStepInput},
		"the step comes first": {From{Step: "h9", Input: json.RawMessage(`{}`)}, ErrNoSuchStep},
	} {
		if _, err := Resume(earlier, c.from); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNew_ContinuesWhatItTakesOver(t *testing.T) {
	t.Parallel()
	resumed, err := Resume(earlier, From{Step: "h3", Input: json.RawMessage(`[7]`)})
	if err != nil {
		t.Fatal(err)
	}
	s, job := aRun(func(spec *Spec) { spec.Steps, spec.Inputs, spec.Target = resumed.Steps, resumed.Inputs, resumed.Target })
	if job.Edge != (Edge{Incoming: EdgeStep, Outgoing: "h2", Target: "h3"}) || len(s.Stack) != 2 || string(s.Inputs["h3"]) != `[7]` {
		t.Errorf("begins with %+v, stack %v, inputs %s", job.Edge, s.Stack, s.Inputs)
	}
	call, s := fire(t, s, job)
	if call.Call.Target != "h3" || call.Call.Current != 2 {
		t.Errorf("calls %+v", call.Call)
	}
	next, _ := answer(t, s, job, ops(stepRun("h3", "8")))
	only(t, next)
}
