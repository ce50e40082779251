package realtime

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/domain/run"
)

const aRun = "01JQE1K13Q1A4D1B5XF0M1S2E0"

var _ advance.Watcher = (*Updates)(nil)

func updates(w *world, log *bytes.Buffer) *Updates {
	return NewUpdates(w.Publisher, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func TestUpdates_TellOfRunsAndSteps(t *testing.T) {
	t.Parallel()
	fresh := run.State{ID: ulid.MustParse(aRun), FunctionID: uuid.UUID{1}, Slug: "app-fn"}
	begun := fresh
	begun.StartedAt = time.Now()
	message := func(topic, kind, data, name string) string {
		return aRun + "/" + topic + ` {"kind":"` + kind + `","data":` + data + `,` + strings.Replace(tail, `"c"`, `"`+aRun+`"`, 1) +
			`"topic":"` + name + `","fn_id":"01000000-0000-0000-0000-000000000000","fn_slug":"app-fn","run_id":"` + aRun + `"}`
	}
	const done = `{"id":"a","name":"charge","status":"Completed","output":1}`
	for name, test := range map[string]struct {
		before run.State
		t      run.Transition
		want   []string
	}{
		"the first call": {fresh, run.Transition{Call: &run.Call{}}, []string{message("$run", "run", `{"status":"Running"}`, "$run")}},
		"a later call":   {begun, run.Transition{Call: &run.Call{}}, nil},
		"jobs only":      {begun, run.Transition{Jobs: make([]run.Job, 1)}, nil},
		"a step": {begun, run.Transition{Steps: []run.Step{{ID: "a", Name: "charge", Memo: json.RawMessage(`{"data":1}`)}}}, []string{
			message("$step", "step", done, "$step"), message("charge", "step", done, "charge"),
		}},
		"a step and the end": {
			begun, run.Transition{
				Steps:  []run.Step{{ID: "a", Memo: json.RawMessage(`null`)}},
				Finish: &run.Finish{Status: run.Completed, Output: json.RawMessage(`{"a":1}`)},
			}, []string{
				message("$step", "step", `{"id":"a","status":"Completed","output":null}`, "$step"),
				message("$run", "run", `{"status":"Completed","output":{"a":1}}`, "$run"),
			},
		},
		"cancelled before its first call": {fresh, run.Transition{Finish: &run.Finish{Status: run.Cancelled}}, []string{message("$run", "run", `{"status":"Cancelled"}`, "$run")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, log := newWorld(), &bytes.Buffer{}
			ended, cancel := context.WithCancel(t.Context())
			cancel() // whoever committed it has gone
			updates(w, log).Advanced(ended, test.before, test.t)
			w.has(t, test.want...)
			if log.Len() > 0 {
				t.Errorf("logged %s", log)
			}
			w.deaf = true
			updates(w, log).Advanced(t.Context(), test.before, test.t)
			w.has(t)
		})
	}
}

func TestUpdates_FailureIsLoggedOnly(t *testing.T) {
	t.Parallel()
	w, log := newWorld(), &bytes.Buffer{}
	w.left = 0
	updates(w, log).Advanced(t.Context(), run.State{ID: ulid.MustParse(aRun)}, run.Transition{Finish: &run.Finish{Status: run.Completed}})
	if !strings.Contains(log.String(), "update not published") || !strings.Contains(log.String(), aRun) {
		t.Errorf("logged %s", log)
	}
}

func TestUpdates_CommitsThatAreHeardTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		u := updates(w, &bytes.Buffer{})
		one, other := ulid.MustParse(aRun), ulid.ULID{1}
		end := u.Turn(one)
		u.Turn(other)() // waits for nobody
		second := false
		go func() {
			end := u.Turn(one)
			second = true
			end()
		}()
		synctest.Wait()
		if second {
			t.Error("the second commit did not wait for the first")
		}
		end()
		synctest.Wait()
		if !second || len(u.turns) != 0 {
			t.Errorf("second %t, %d turns are kept", second, len(u.turns))
		}
		w.deaf = true
		u.Turn(one)
		u.Turn(one)() // nobody listens, nobody waits
	})
}
