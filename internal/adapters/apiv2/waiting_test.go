package apiv2_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/app/waiting"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// fakeWaiting says why nobody waits.
type fakeWaiting struct {
	why waiting.Why
	err error
}

func (w fakeWaiting) Why(context.Context, ulid.ULID) (waiting.Why, error) { return w.why, w.err }

func TestGetRunWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, apiv2.Config{})
	f.register("shop", `[`+fn("shop", "one", "")+`]`)
	f.answer = func(ports.Call) sdk.Response { return appAnswer(200, `{"ok":true}`) }
	event := dataOf[sent](t, f.rest(post, "/api/v2/events", `{"name":"app/event"}`)).EventID
	f.route()
	id := dataOf[[]runAnswer](t, f.rest(get, "/api/v2/events/"+event+"/runs", ""))[0].ID
	path := "/api/v2/runs/" + id + "/waiting"
	got := dataOf[struct {
		RunID, Status string
		Function, App struct{ ID, Name string }
		Jobs          []struct {
			ID, Reason       string
			Ahead, Functions *int
		}
		Pauses []struct{}
	}](t, f.rest(get, path, ""))
	if got.RunID != id || got.Status != "QUEUED" || got.Function.ID != "one" || got.Function.Name != "The one" || got.App.ID != "shop" ||
		len(got.Jobs) != 1 || got.Jobs[0].ID == "" || got.Jobs[0].Reason != "WORKER" || *got.Jobs[0].Ahead != 0 || *got.Jobs[0].Functions != 1 || len(got.Pauses) > 0 {
		t.Errorf("it waits for %+v", got)
	}
	f.work()
	f.expect(get, path, "", 200, stamped(`{"app":{"id":"shop"},"function":{"id":"one","name":"The one"},"runId":"`+id+`","status":"COMPLETED"}`, ""))
	f.expect(get, "/api/v2/runs/"+unknownRun+"/waiting", "", 404, refused("not_found", "Run not found"))
	f.expect(get, "/api/v2/runs/x/waiting", "", 400, refused("invalid_field_format", "Run ID must be a valid ULID"))
}

// Whatever a run may wait for is told, and with it that the function is not known any more.
func TestGetRunWaiting_TellsAll(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	why := waiting.Why{
		Until: at,
		Jobs: []waiting.Job{
			{ID: "a", Waiting: flow.Waiting{Reason: flow.InHand}},
			{ID: "b", Waiting: flow.Waiting{Reason: flow.DueLater, Expected: at}},
			{ID: "c", Waiting: flow.Waiting{Reason: flow.ForRoom, Ahead: 10_000, AtLeast: true, Functions: 2, Limit: &flow.Limit{
				Kind: flow.LimitKey, Scope: function.ScopeEnv, Expression: "event.data.user", Number: 2, Held: 3,
			}}},
			{ID: "d", Waiting: flow.Waiting{Reason: flow.ForToken, Ahead: 1, Expected: at, Limit: &flow.Limit{Kind: flow.LimitThrottle, Number: 5, Held: 5, Every: 100 * time.Microsecond}}},
			{ID: "e", Parked: true, Waiting: flow.Waiting{Reason: flow.InHand}},
		},
		Pauses: []waiting.Pause{
			{Kind: run.PauseEvent, Step: "s1", Name: "wait", Event: "app/paid", Expression: "async.data.id == 'o1'", Until: at},
			{Kind: run.PauseSignal, Step: "s2", Name: "go", Signal: "sig", Until: at},
			{Kind: run.PauseInvoke, Step: "s3", Name: "call", Until: at},
		},
	}
	summary := ports.RunSummary{RunID: ulid.MustParse(unknownRun), Status: ports.RunRunning}
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) {
		d.Waiting, d.Reader = fakeWaiting{why: why}, &fakeReader{runs: []ports.RunSummary{summary}}
	})
	const nobody = "00000000-0000-0000-0000-000000000000"
	path := "/api/v2/runs/" + unknownRun + "/waiting"
	f.expect(get, path, "", 200, stamped(`{"app":{"id":"`+nobody+`"},"function":{"id":"`+nobody+`"},"jobs":[{"id":"a","reason":"RUNNING"},`+
		`{"expectedAt":"2026-03-01T13:00:00Z","id":"b","reason":"LATER"},`+
		`{"ahead":10000,"aheadIsAtLeast":true,"functions":2,"id":"c","limit":{"held":3,"key":"event.data.user","kind":"KEY","limit":2,"scope":"ENVIRONMENT"},"reason":"ROOM"},`+
		`{"ahead":1,"expectedAt":"2026-03-01T13:00:00Z","id":"d","limit":{"everyMs":"1","held":5,"kind":"THROTTLE","limit":5},"reason":"THROTTLE"},`+
		`{"id":"e","reason":"PARKED"}],"pauses":[`+
		`{"condition":"async.data.id == 'o1'","eventName":"app/paid","kind":"EVENT","stepId":"s1","stepName":"wait","until":"2026-03-01T13:00:00Z"},`+
		`{"kind":"SIGNAL","signal":"sig","stepId":"s2","stepName":"go","until":"2026-03-01T13:00:00Z"},`+
		`{"kind":"INVOKE","stepId":"s3","stepName":"call","until":"2026-03-01T13:00:00Z"}],`+
		`"runId":"`+unknownRun+`","status":"RUNNING","until":"2026-03-01T13:00:00Z"}`, ""))
}

func TestGetRunWaiting_Fails(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*apiv2.Deps){
		"waiting":  func(d *apiv2.Deps) { d.Waiting = fakeWaiting{err: ports.ErrUnavailable} },
		"run":      func(d *apiv2.Deps) { d.Reader = &fakeReader{err: ports.ErrUnavailable} },
		"function": func(d *apiv2.Deps) { d.Reader, d.Functions = &fakeReader{runs: []ports.RunSummary{{}}}, noFunctions{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newFixture(t, apiv2.Config{}, edit).expect(get, "/api/v2/runs/"+unknownRun+"/waiting", "", 500, refused("internal_error", "Unable to tell what the run waits for"))
		})
	}
}

// Kinds and reasons that the application knows have a word in the API.
func TestGetRunWaiting_HasAWordForAll(t *testing.T) {
	t.Parallel()
	var why waiting.Why
	for _, reason := range []flow.Reason{flow.InHand, flow.DueLater, flow.ForWorker, flow.ForRoom, flow.ForToken} {
		for kind := range flow.LimitKind(flow.LimitKinds) {
			why.Jobs = append(why.Jobs, waiting.Job{Waiting: flow.Waiting{Reason: reason, Limit: &flow.Limit{Kind: kind}}})
		}
	}
	f := newFixture(t, apiv2.Config{}, func(d *apiv2.Deps) {
		d.Waiting, d.Reader = fakeWaiting{why: why}, &fakeReader{runs: []ports.RunSummary{{}}}
	})
	got := dataOf[struct {
		Jobs []struct {
			Reason string
			Limit  struct{ Kind string }
		}
	}](t, f.rest(get, "/api/v2/runs/"+unknownRun+"/waiting", ""))
	for i, job := range got.Jobs {
		if job.Reason == "" || job.Limit.Kind == "" {
			t.Errorf("%+v is shown as %+v", why.Jobs[i].Waiting, job)
		}
	}
	if len(got.Jobs) != len(why.Jobs) {
		t.Errorf("%d jobs", len(got.Jobs))
	}
}

// noFunctions cannot be read.
type noFunctions struct{ apiv2.Functions }

func (noFunctions) Function(context.Context, uuid.UUID) (function.Function, error) {
	return function.Function{}, ports.ErrUnavailable
}
