package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/inngest/inngestgo"
	ierrors "github.com/inngest/inngestgo/errors"
	"github.com/inngest/inngestgo/group"
	"github.com/inngest/inngestgo/step"
)

const (
	bigSteps = 4
	bigSize  = 1_500_000 // bytes of one step's output; all together are over the 4 MiB at which calls are trimmed
	awkward  = "héllo <b>&</b> \u2028 🙂 \"quoted\" \\ \t 日本語"
)

// numbers is a payload whose numbers Go can hold exactly though a double cannot.
type numbers struct {
	Key   string         `json:"key"`
	Text  string         `json:"text"`
	Odd   map[string]int `json:"odd"`
	Big   int64          `json:"big"`
	Huge  json.Number    `json:"huge"`
	Small json.Number    `json:"small"`
}

// theNumbers is sent as an event's data and returned by a step.
var theNumbers = numbers{
	Key: "numbers", Text: awkward, Odd: map[string]int{"": 1, "a.b": 2, "€": 3, "ключ": 4},
	Big: 9007199254740993, Huge: "123456789012345678901234567890", Small: "1e-7",
}

// createFunctions declares every function of the suite; each listens to the event "go/<id>".
func (a *app) createFunctions(t *testing.T) {
	t.Helper()
	create := func(id string, retries int, fn handler) {
		a.create(t, inngestgo.FunctionOpts{ID: id, Name: id, Retries: &retries}, "go/"+id, nil, fn)
	}
	create("simple", 0, func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		return object{"echo": in.Event.Data, "attempt": in.InputCtx.Attempt}, nil
	})
	create("steps", 0, a.threeSteps)
	create("sleep", 0, a.sleeps)
	create("step-retry", 3, a.retriesStep)
	create("retry-at", 3, a.retriesAt)
	create("fn-retry", 3, a.retriesFunction)
	create("exhausted", 1, a.alwaysFails)
	create("final-step", 3, func(ctx context.Context, in input) (any, error) {
		return step.Run(ctx, "no", func(context.Context) (any, error) {
			a.noteStep(in, "no", "step")
			return nil, ierrors.NoRetryError(errors.New("not again in the step"))
		})
	})
	create("final-fn", 3, func(_ context.Context, in input) (any, error) {
		a.note(in, "call")
		return nil, ierrors.NoRetryError(errors.New("not again in the function"))
	})
	create("parallel", 0, a.parallel)
	create("loop", 0, a.loop)
	create("large", 0, a.large)
	create("many", 0, a.many)
	a.createNumbers(t)
	a.createWaits(t)
	a.createTraced(t)
	a.createInvokes(t)
	a.createCancelled(t)
	a.createReruns(t)
	a.createTimed(t)
	a.createOrdered(t)
	a.createCheckpointed(t)
	a.createOutside(t)
	a.createRealtime(t)
	a.createFlow(t)
	a.createLimits(t)
	a.create(t, inngestgo.FunctionOpts{ID: "observer", Name: "observer"}, "inngest/function.finished", nil, a.observe)
	a.create(t, inngestgo.FunctionOpts{ID: "on-failure", Name: "on-failure"},
		"inngest/function.failed", inngestgo.StrPtr("event.data.function_id == 'go-suite-exhausted'"), a.onFailure)
}

func (a *app) create(t *testing.T, opts inngestgo.FunctionOpts, event string, condition *string, fn handler) {
	t.Helper()
	if _, err := inngestgo.CreateFunction(a.client, opts, inngestgo.EventTrigger(event, condition), fn); err != nil {
		t.Fatalf("create function %s: %v", opts.ID, err)
	}
}

// stepOf runs a step that notes that its body ran and returns value.
func stepOf[T any](ctx context.Context, a *app, in input, id string, value T) T {
	got, err := step.Run(ctx, id, func(context.Context) (T, error) {
		a.noteStep(in, id, id)
		return value, nil
	})
	if err != nil {
		panic(err) // the body returns no error
	}
	return got
}

func (a *app) threeSteps(ctx context.Context, in input) (any, error) {
	a.note(in, "call")
	first := stepOf(ctx, a, in, "first", object{"n": 1, "text": awkward})
	second := stepOf(ctx, a, in, "second", []any{first["n"], 2, object{"deep": object{"x": nil}}})
	third := stepOf(ctx, a, in, "third", fmt.Sprintf("length %d", len(second)))
	return object{"first": first, "second": second, "third": third}, nil
}

func (a *app) sleeps(ctx context.Context, in input) (any, error) {
	stepOf(ctx, a, in, "before", 1)
	step.Sleep(ctx, "nap", time.Second)
	return stepOf(ctx, a, in, "after", "rested"), nil
}

func (a *app) retriesStep(ctx context.Context, in input) (any, error) {
	stepOf(ctx, a, in, "kept", 1)
	got, err := step.Run(ctx, "flaky", func(context.Context) (int, error) {
		a.noteStep(in, "flaky", fmt.Sprintf("flaky %d", in.InputCtx.Attempt))
		if in.InputCtx.Attempt < 2 {
			return 0, errors.New("not yet")
		}
		return in.InputCtx.Attempt, nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

func (a *app) retriesAt(ctx context.Context, in input) (any, error) {
	return step.Run(ctx, "later", func(context.Context) (string, error) {
		a.noteStep(in, "later", "later")
		if in.InputCtx.Attempt == 0 {
			return "", ierrors.RetryAtError(errors.New("in a moment"), time.Now().Add(3*time.Second))
		}
		return "came", nil
	})
}

func (a *app) retriesFunction(ctx context.Context, in input) (any, error) {
	kept := stepOf(ctx, a, in, "kept", "kept")
	a.note(in, fmt.Sprintf("past the step %d", in.InputCtx.Attempt))
	if in.InputCtx.Attempt == 0 {
		return nil, errors.New("the function fails once")
	}
	return kept, nil
}

func (a *app) alwaysFails(ctx context.Context, in input) (any, error) {
	return step.Run(ctx, "hopeless", func(context.Context) (any, error) {
		a.noteStep(in, "hopeless", fmt.Sprintf("hopeless %d", in.InputCtx.Attempt))
		return nil, fmt.Errorf("hopeless at attempt %d", in.InputCtx.Attempt)
	})
}

// onFailure notes under the key of the event whose run failed, with its own run's id.
func (a *app) onFailure(ctx context.Context, in input) (any, error) {
	original, _ := in.Event.Data["event"].(object)
	data, _ := original["data"].(object)
	key, _ := data["key"].(string)
	failure, _ := in.Event.Data["error"].(object)
	return step.Run(ctx, "report", func(context.Context) (string, error) {
		a.noteKey(key+"/failure", in.InputCtx.RunID, fmt.Sprint(failure["message"]))
		return "handled", nil
	})
}

func (a *app) parallel(ctx context.Context, in input) (any, error) {
	a.note(in, "call")
	var branches []func(context.Context) (any, error)
	for _, name := range []string{"a", "b", "c"} {
		branches = append(branches, func(ctx context.Context) (any, error) {
			return stepOf(ctx, a, in, name, name+"!"), nil
		})
	}
	results := group.Parallel(ctx, branches...)
	if err := results.AnyError(); err != nil {
		return nil, err
	}
	var all []string
	for _, result := range results {
		all = append(all, fmt.Sprint(result.Value))
	}
	return stepOf(ctx, a, in, "join", strings.Join(all, "")), nil
}

func (a *app) loop(ctx context.Context, in input) (any, error) {
	var got []int
	for i := range 5 {
		value, err := step.Run(ctx, "same id", func(context.Context) (int, error) {
			a.note(in, fmt.Sprintf("round %d", i))
			return i * 10, nil
		})
		if err != nil {
			return nil, err
		}
		got = append(got, value)
	}
	return got, nil
}

func (a *app) large(ctx context.Context, in input) (any, error) {
	total := 0
	for i := range bigSteps {
		total += len(stepOf(ctx, a, in, fmt.Sprintf("big %d", i), strings.Repeat(string(rune('a'+i)), bigSize)))
	}
	return stepOf(ctx, a, in, "sum", total), nil
}

func (a *app) many(ctx context.Context, in input) (any, error) {
	one := stepOf(ctx, a, in, "one", in.Event.Data["i"])
	stepOf(ctx, a, in, "two", one)
	return one, nil
}

func (a *app) createNumbers(t *testing.T) {
	t.Helper()
	_, err := inngestgo.CreateFunction(a.client, inngestgo.FunctionOpts{ID: "numbers", Name: "numbers"}, inngestgo.EventTrigger("go/numbers", nil),
		func(ctx context.Context, in inngestgo.Input[numbers]) (any, error) {
			// The SDK itself reads the event through doubles: only the text can be compared here.
			if got := in.Event.Data; got.Text == awkward && maps.Equal(got.Odd, theNumbers.Odd) {
				a.noteKey(got.Key, in.InputCtx.RunID, "text as sent")
			}
			return step.Run(ctx, "numbers", func(context.Context) (numbers, error) { return theNumbers, nil })
		})
	if err != nil {
		t.Fatalf("create function numbers: %v", err)
	}
}
