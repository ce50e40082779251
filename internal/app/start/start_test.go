package start_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
)

type templates map[string]*expr.Template

func (t templates) Template(text string) *expr.Template { return t[text] }

func TestSpec_FollowsTheSettings(t *testing.T) {
	t.Parallel()
	retries := 2
	fn := function.Function{Version: 3, Slug: "app-fn", Step: function.Step{Retries: &retries}, Settings: function.Settings{
		Cancel:   []function.Cancel{{Event: "stop", If: "true", Timeout: "1h"}},
		Timeouts: &function.Timeouts{Start: "10s", Finish: "soon"},
	}}
	e := event.Tracked{Event: event.Event{ID: "e"}}
	template, err := expr.CompileTemplate("true")
	if err != nil {
		t.Fatal(err)
	}
	want := run.Spec{
		FunctionVersion: 3, Slug: "app-fn", MaxAttempts: 3, Events: []event.Tracked{e},
		CancelOn: []run.CancelOn{{Event: "stop", If: "true", Timeout: "1h", Template: template}}, Timeouts: run.Timeouts{Start: 10 * time.Second},
	}
	if diff := cmp.Diff(want, start.Spec(fn, templates{"true": template}, e), cmp.Comparer(func(a, b *expr.Template) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
