package apiv2_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// begun registers a function and starts a run of it.
func (f *fixture) begun() ulid.ULID {
	f.tb.Helper()
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	return ulid.MustParse(dataOf[started](f.tb, f.rest(post, "/api/v2/apps/shop/functions/one/invoke", `{"data":{"a":1}}`)).RunID)
}

func TestRerun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	id := f.begun()
	steps := []string{`[{"id":"h1","op":"StepRun","name":"one","data":1}]`, `[{"id":"h2","op":"StepRun","name":"two","data":2}]`}
	f.answer = func(ports.Call) sdk.Response {
		if len(steps) == 0 {
			return appAnswer(200, `"done"`)
		}
		next := steps[0]
		steps = steps[1:]
		return appAnswer(206, next)
	}
	f.work()
	path := "/api/v2/runs/" + id.String() + "/rerun"
	again := dataOf[started](t, f.rest(post, path, "")).RunID
	if again == id.String() {
		t.Error("the run is the same")
	}
	for _, body := range []string{`{"fromStep":{"stepId":"two","input":[12345678901234567890]}}`, `{"from_step":{"step_id":"h2","input":[12345678901234567890]}}`} {
		next := ulid.MustParse(dataOf[started](t, f.rest(post, path, body)).RunID)
		state, err := f.backend.Load(t.Context(), next)
		if err != nil || len(state.Stack) != 1 || string(state.Inputs["h2"]) != "[12345678901234567890]" {
			t.Errorf("%s: %+v, %v", body, state, err)
		}
	}
	long := ulid.MustParse(dataOf[started](t, f.rest(post, path, `{"fromStep":{"stepId":"two","input":["`+strings.Repeat("x", 1<<20)+`"]}}`)).RunID)
	if state, err := f.backend.Load(t.Context(), long); err != nil || len(state.Inputs["h2"]) != 1<<20+4 {
		t.Errorf("long input: %d bytes, %v", len(state.Inputs["h2"]), err)
	}
	f.expect(post, path, `{"fromStep":{}}`, 400, refused("missing_field", "Step ID is required"))
	f.expect(post, path, `{"fromStep":{"stepId":"three"}}`, 400, refused("invalid_request", "Step not found in original run"))
	f.expect(post, "/api/v2/runs/x/rerun", "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
	f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", "", 404, refused("not_found", "Run not found"))
}

// failingReruns starts nothing.
type failingReruns struct{ err error }

func (r failingReruns) Run(context.Context, ulid.ULID, *run.From) (ulid.ULID, error) {
	return ulid.ULID{}, r.err
}

func TestRerun_Fails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		want   string
	}{
		{run.ErrAmbiguousStep, 400, refused("invalid_request", "Step name matches multiple steps in original run")},
		{run.ErrStepInput, 400, refused("invalid_request", run.ErrStepInput.Error())},
		{rerun.ErrNoFunction, 404, refused("not_found", "Function not found")},
		{rerun.ErrNoEvents, 404, refused("not_found", "The events of the run are not kept any more")},
		{start.ErrPaused, 422, refused("function_skipped", "Function invocation was skipped because the function is paused or draining.")},
		{start.ErrSingleton, 422, refused("function_skipped", "Function invocation was skipped because another run of the function is in progress.")},
		{start.ErrDebounced, 422, refused("function_debounced", "Function invocation was debounced.")},
		{ports.ErrUnavailable, 500, refused("internal_error", "Unable to rerun run")},
	}
	for _, test := range tests {
		t.Run(test.err.Error(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Reruns = failingReruns{test.err} })
			f.expect(post, "/api/v2/runs/"+unknownRun+"/rerun", "", test.status, test.want)
		})
	}
}

func TestCancelRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	first := f.begun()
	cancel := func(id string) string { return "/api/v2/runs/" + id + "/cancel" }
	f.expect(post, cancel(first.String()), "", 200, stamped(`{"runId":"`+first.String()+`"}`, ""))
	f.expect(post, cancel(first.String()), "{}", 409, refused("run_already_cancelled", "Run is already cancelled"))
	second := dataOf[started](t, f.rest(post, "/api/v2/apps/shop/functions/one/invoke", `{"data":{}}`)).RunID
	f.answer = func(ports.Call) sdk.Response { return appAnswer(200, `1`) }
	f.work()
	f.expect(post, cancel(second), "", 409, refused("run_already_ended", "Cannot cancel an ended run"))
	f.expect(post, cancel(unknownRun), "", 404, refused("not_found", "Run not found"))
	f.expect(post, cancel("x"), "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
}

// failingRuns cancels nothing.
type failingRuns struct{ err error }

func (r failingRuns) Cancel(context.Context, ulid.ULID) error { return r.err }

// failingHistory knows nothing.
type failingHistory struct{ ports.History }

func (failingHistory) Run(context.Context, ulid.ULID) (ports.RunRecord, error) {
	return ports.RunRecord{}, ports.ErrUnavailable
}

func TestCancelRun_Fails(t *testing.T) {
	t.Parallel()
	for _, err := range []error{ports.ErrUnavailable, ports.ErrNotFound} {
		f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Runs, d.History = failingRuns{err}, failingHistory{d.History} })
		f.expect(post, "/api/v2/runs/"+unknownRun+"/cancel", "", 500, refused("internal_error", "Unable to cancel run"))
	}
}

func TestCreateScores(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	id := f.begun()
	path := "/api/v2/runs/" + id.String() + "/scores"
	f.expect(post, path, `[{"name":"quality","value":0.5},{"name":"ok","value":true,"stepId":"one"},{"name":"best","value":1,"experiment":{"id":"e","variant":"v"}}]`,
		200, stamped(`[{"name":"quality","runId":"`+id.String()+`","value":0.5},{"name":"ok","runId":"`+id.String()+`","stepId":"one","value":true},`+
			`{"experiment":{"id":"e","variant":"v"},"name":"best","runId":"`+id.String()+`","value":1}]`, ""))
	all, err := f.backend.Metadata().All(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, value := range metadata.Fold(all) {
		kinds = append(kinds, string(value.Target.Scope())+" "+value.Kind)
	}
	if diff := cmp.Diff([]string{"run inngest.experiment", "run inngest.score", "step inngest.score"}, kinds); diff != "" {
		t.Error(diff)
	}
	f.expect(post, path, `[]`, 400, refused("invalid_field_format", "At least one score is required"))
	f.expect(post, path, ``, 400, refused("invalid_field_format", "At least one score is required"))
	f.expect(post, path, `[{"name":"x","value":1},{"name":"x"}]`, 400, refused("invalid_field_format", "scores[1]: Score value is required"))
	f.expect(post, path, `[{"name":"x","value":1,"stepId":""}]`, 400, refused("invalid_field_format", "scores[0]: Step ID must not be empty when provided"))
	f.expect(post, path, `{"name":"x"}`, 400, refused("api_error", `proto: syntax error (line 1:11): unexpected token {`))
	f.expect(post, path, `[`+strings.TrimSuffix(strings.Repeat(`{"name":"x","value":1},`, 101), ",")+`]`, 400, refused("invalid_field_format", "At most 100 scores are allowed"))
	f.expect(post, "/api/v2/runs/x/scores", `[{"name":"x","value":1}]`, 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
	if w := f.rest(post, "/api/v2/runs/"+unknownRun+"/scores", `[{"name":"x","value":1}]`); w.Code != 200 {
		t.Errorf("unknown run: %d %s", w.Code, w.Body)
	}
	off := newFixture(t, apiv2.Config{NoMetadata: true})
	off.expect(post, path, `[{"name":"x","value":1}]`, 403, refused("access_denied", "Metadata is not enabled for this account"))
}

// failingMetadata keeps nothing.
type failingMetadata struct {
	ports.Metadata
	err error
}

func (m failingMetadata) Put(context.Context, ulid.ULID, []metadata.Update) error { return m.err }

func TestCreateScores_Fails(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]struct {
		status int
		body   string
	}{
		metadata.ErrRunFull:        {413, refused("validation_error", "Score exceeds the run metadata size limit")},
		metadata.ErrUpdateTooLarge: {413, refused("validation_error", "Score exceeds the run metadata size limit")},
		errors.New("no disk"):      {500, refused("internal_error", "Unable to record score")},
	} {
		f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) { d.Metadata = failingMetadata{d.Metadata, err} })
		f.expect(post, "/api/v2/runs/"+unknownRun+"/scores", `[{"name":"x","value":1}]`, want.status, want.body)
	}
}
