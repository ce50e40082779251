package ingot

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// waitsFor is a handler that waits for an event with options, and ends with what it got.
func waitsFor(opts string) func(call) reply {
	return func(c call) reply {
		if memo, done := c.Steps["w"]; done {
			return reply{status: 200, body: string(memo)}
		}
		return ops(`{"op":"WaitForEvent","id":"w","opts":` + opts + `}`)
	}
}

// invokes is a handler that invokes a function with options, and ends with what it got.
func invokes(opts string) func(call) reply {
	return func(c call) reply {
		if memo, done := c.Steps["i"]; done {
			return reply{status: 200, body: string(memo)}
		}
		return ops(`{"op":"InvokeFunction","id":"i","opts":` + opts + `}`)
	}
}

// TestInvoke_EveryEndReachesTheInvoker: whatever becomes of an invoked function, the step that waits for it hears of it. Spec 02
// §9.3, §9.4, §22 #2, #4, #5.
func TestInvoke_EveryEndReachesTheInvoker(t *testing.T) {
	t.Parallel()
	inHand := make(chan string, 1)
	invoking := func(function string) handler {
		return handler{answer: invokes(`{"function_id":"` + function + `","payload":{"data":{"n":1}},"timeout":"1h"}`)}
	}
	functions := map[string]handler{
		"gives":   {answer: always(done(`{"got":1}`))},
		"null":    {answer: always(done("null"))},
		"empty":   {answer: always(done(""))},
		"throws":  {answer: always(reply{status: 500, body: `{"name":"Error","message":"child broke"}`})},
		"garbage": {answer: always(reply{status: 206, body: `[{"op":`})},
		"held": {answer: func(c call) reply {
			inHand <- c.Ctx.RunID
			return ops(`{"op":"Sleep","id":"n","name":"1h"}`)
		}},
		"slow":      {answer: always(ops(`{"op":"Sleep","id":"n","name":"1h"}`))},
		"impatient": {answer: invokes(`{"function_id":"app-slow","payload":{},"timeout":"20ms"}`)},
		"again":     {answer: invokes(`{"function_id":"app-null","payload":{"id":"once"},"timeout":"1h"}`)},
		"quiet":     {answer: always(done(`"quiet"`)), settings: `,"debounce":{"period":"1s"}`},
		"noisy":     {answer: invokes(`{"function_id":"app-quiet","payload":{},"timeout":"1h"}`)},
	}
	cases := map[string]struct{ invoked, want string }{
		"result":       {"app-gives", `{"data":{"got":1}}`},
		"null-result":  {"app-null", `{"data":null}`},
		"no-result":    {"app-empty", `{"data":null}`},
		"error":        {"app-throws", `{"error":{"error":"invalid status code: 500","name":"Error","message":"child broke"}}`},
		"engine-error": {"app-garbage", `error reading generator opcode response`},
		"unknown":      {"app-none", `{"error":{"name":"Error","message":"could not find function with ID: app-none"}}`},
		"cancelled":    {"app-held", `{"error":{"error":"InngestInvokeCancelledError: Invoked function was cancelled","name":"InngestInvokeCancelledError","message":"Invoked function was cancelled"}}`},
	}
	for name, c := range cases {
		functions["calls-"+name] = invoking(c.invoked)
	}
	p, _ := serve(t, functions)
	events := map[string]string{}
	for name := range cases {
		events[name] = p.send("any", named("app/calls-"+name, "{}"))
	}
	if status, body := p.ask(http.MethodDelete, "/v1/runs/"+<-inHand, ""); status != http.StatusOK {
		t.Fatalf("cancel: status %d, body %s", status, body)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if status, output := p.finished(events[name]); status != "Completed" || !strings.Contains(output, c.want) {
				t.Errorf("the invoker ended as %s with\n%s\nwant\n%s", status, output, c.want)
			}
		})
	}
	t.Run("timeout", func(t *testing.T) {
		const want = `{"error":{"error":"InngestInvokeTimeoutError: Timed out waiting for invoked function to complete",` +
			`"name":"InngestInvokeTimeoutError","message":"Timed out waiting for invoked function to complete"}}`
		if status, output := p.finished(p.send("any", named("app/impatient", "{}"))); status != "Completed" || output != want {
			t.Errorf("the invoker ended as %s with %s", status, output)
		}
	})
	t.Run("superseded in a debounce", func(t *testing.T) {
		got := map[string]int{}
		sent := []string{p.send("any", named("app/noisy", "{}")), p.send("any", named("app/noisy", "{}"))}
		for _, id := range sent {
			_, output := p.finished(id)
			got[output]++
		}
		want := map[string]int{
			`{"data":"quiet"}`: 1,
			`{"error":{"name":"Error","message":"invoked function was not started: superseded by a later event in its debounce"}}`: 1,
		}
		if !maps.Equal(got, want) {
			t.Errorf("the invokers ended with %v", got)
		}
	})
	t.Run("not started for its id", func(t *testing.T) {
		if _, output := p.finished(p.send("any", named("app/again", "{}"))); output != `{"data":null}` {
			t.Errorf("the first invoker ended with %s", output)
		}
		_, output := p.finished(p.send("any", named("app/again", "{}")))
		if want := `"message":"invoked function was not started: an event with its id has started it before"`; !strings.Contains(output, want) {
			t.Errorf("the second invoker ended with %s", output)
		}
	})
}

// TestWait_EndsWithItsEventOnly: spec 02 §9.2, §23, and the weaknesses of spec 08 §13 that no number of other waits and no clock of
// a sender may bring back.
func TestWait_EndsWithItsEventOnly(t *testing.T) {
	t.Parallel()
	twice := func(c call) reply {
		a, first := c.Steps["a"]
		b, second := c.Steps["b"]
		if first && second {
			return done(`[` + string(a) + `,` + string(b) + `]`)
		}
		return ops(`{"op":"WaitForEvent","id":"a","opts":{"event":"app/go","timeout":"1h","if":"async.data.id == event.data.id"}}`,
			`{"op":"WaitForEvent","id":"b","opts":{"event":"app/go","timeout":"1h"}}`)
	}
	p, a := serve(t, map[string]handler{
		"waits":   {answer: waitsFor(`{"event":"app/go","timeout":"1h","if":"async.data.id == event.data.id"}`)},
		"spoilt":  {answer: waitsFor(`{"event":"app/go","timeout":"1h","if":"async.data.id.nope.contains(async.data.n)"}`)},
		"expires": {answer: waitsFor(`{"event":"app/go","timeout":"20ms"}`)},
		"own":     {answer: waitsFor(`{"event":"app/own","timeout":"100ms"}`)},
		"twice":   {answer: twice},
	})
	memo := func(data string) string { return `"data":` + data + `,"id":` }
	if _, output := p.finished(p.send("any", named("app/expires", "{}"))); output != "null" {
		t.Errorf("a wait that times out ended with %s", output)
	}
	if _, output := p.finished(p.send("any", named("app/own", "{}"))); output != "null" {
		t.Errorf("a run whose own event has the name it waits for ended with %s", output)
	}

	// Sixty waits with a condition that fails to evaluate are no reason to miss one that holds.
	for range 60 {
		p.send("any", named("app/spoilt", "{}"))
	}
	const id = `{"id":"a\"b\\\n"}`
	waiting, other := p.send("any", named("app/waits", id)), p.send("any", named("app/waits", `{"id":1000000}`))
	p.await("the runs do not wait", func() bool { return a.called("spoilt") == 60 && a.called("waits") == 2 })
	p.await("no event has ended the wait", func() bool {
		p.send("any", `{"name":"app/go","ts":400000000000,"data":{"id":"other"}}`)
		p.send("any", `{"name":"app/go","ts":400000000000,"data":`+id+`}`) // by its sender's clock long before the wait
		return a.called("waits") == 3
	})
	if _, output := p.finished(waiting); !strings.Contains(output, memo(id)) {
		t.Errorf("the wait ended with %s", output)
	}
	if runs := p.runs(other); len(runs) != 1 || runs[0].EndedAt != nil {
		t.Errorf("the run that waits for another event is %+v", runs)
	}
	p.send("any", named("app/go", `{"id":1e6}`))
	if _, output := p.finished(other); !strings.Contains(output, memo(`{"id":1e6}`)) {
		t.Errorf("the wait for a number ended with %s", output)
	}

	// One event ends every wait that it meets, also two of one run.
	both := p.send("any", named("app/twice", `{"id":1}`))
	p.await("the run does not wait", func() bool { return a.called("twice") == 1 })
	p.await("no event has ended the waits", func() bool {
		p.send("any", named("app/go", `{"id":1}`))
		return a.called("twice") == 2
	})
	_, output := p.finished(both)
	var got []struct{ ID string }
	if err := json.Unmarshal([]byte(output), &got); err != nil || len(got) != 2 || got[0].ID != got[1].ID {
		t.Errorf("the two waits ended with %s, %v", output, err)
	}
}

// TestIdempotency_OneRunForAnID: spec 02 §22 #3, §23.
func TestIdempotency_OneRunForAnID(t *testing.T) {
	t.Parallel()
	p, a := serve(t, map[string]handler{"fn": {answer: waitsFor(`{"event":"app/go","timeout":"1h"}`)}})
	first := p.send("any", `{"name":"app/fn","id":"order-1"}`)
	p.await("the run does not wait", func() bool { return a.called("fn") == 1 })
	for range 4 {
		p.send("any", `{"name":"app/fn","id":"order-1"}`)
	}
	second := p.send("any", `{"name":"app/fn","id":"order-2"}`)
	p.await("the other run does not wait", func() bool { return a.called("fn") == 2 })
	for range 4 {
		p.send("any", named("app/go", "{}"))
	}
	for _, event := range []string{first, second} {
		if status, _ := p.finished(event); status != "Completed" {
			t.Errorf("the run ended as %s", status)
		}
	}
	p.stop()
	if calls := a.called("fn"); calls != 4 {
		t.Errorf("%d calls, want two of each run", calls)
	}
}

// TestCancel_ByEventAndByRequest: spec 02 §11, §22 #26, §23.
func TestCancel_ByEventAndByRequest(t *testing.T) {
	t.Parallel()
	sleeps := always(ops(`{"op":"Sleep","id":"n","name":"1h"}`))
	p, a := serve(t, map[string]handler{
		"by-event": {answer: sleeps, settings: `,"cancel":[{"event":"app/stop","if":"async.data.id == event.data.id"}]`},
		"twice":    {answer: sleeps, settings: `,"cancel":[{"event":"app/stop"},{"event":"app/stop","timeout":"1ms"}]`},
		"by-api":   {answer: sleeps},
		"tells":    {trigger: `[{"event":"inngest/function.cancelled"}]`, answer: always(done("null"))},
	})
	events := map[string]string{}
	for _, name := range []string{"by-event", "twice", "by-api"} {
		events[name] = p.send("any", named("app/"+name, `{"id":1}`))
		p.await("the run does not sleep", func() bool { return a.called(name) == 1 })
	}
	p.send("any", named("app/other", `{"id":1}`))
	if status, body := p.ask(http.MethodDelete, "/v1/runs/"+p.started(events["by-api"]).RunID, ""); status != http.StatusOK {
		t.Errorf("cancel: status %d, body %s", status, body)
	}
	p.send("any", named("app/stop", `{"id":2}`))
	if status, _ := p.finished(events["twice"]); status != "Cancelled" {
		t.Errorf("the run with two entries for an event ended as %s", status)
	}
	if runs := p.runs(events["by-event"]); runs[0].EndedAt != nil {
		t.Errorf("an event that does not meet the condition has ended the run: %+v", runs)
	}
	p.send("any", named("app/stop", `{"id":1}`))
	for _, name := range []string{"by-event", "by-api"} {
		if status, output := p.finished(events[name]); status != "Cancelled" || output != "{}" {
			t.Errorf("%s ended as %s with %s", name, status, output)
		}
	}
	p.await("the ends are not told of", func() bool { return a.called("tells") == 3 })
	for name := range events {
		if calls := a.called(name); calls != 1 {
			t.Errorf("%s was called %d times", name, calls)
		}
	}
}

// TestTimeouts_ThatCannotBeReadCancelNothing: spec 02 §22 #15. The app hears of them when it registers.
func TestTimeouts_ThatCannotBeReadCancelNothing(t *testing.T) {
	t.Parallel()
	p, a := serve(t, map[string]handler{
		"fn": {answer: always(done(`"done"`)), settings: `,"timeouts":{"start":"soon","finish":"later"},"cancel":[{"event":"app/stop","timeout":"whenever"}]`},
	})
	if status, output := p.finished(p.send("any", named("app/fn", "{}"))); status != "Completed" || output != `"done"` {
		t.Errorf("the run ended as %s with %s", status, output)
	}
	_, body := p.ask(http.MethodPost, "/fn/register", strings.Replace(a.registration(), `"later"`, `"never"`, 1))
	for _, want := range []string{`app-fn: `, `timeouts.start`, `timeouts.finish`, `cancel[0].timeout`, `\"soon\"`, `\"never\"`, `\"whenever\"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer to the registration does not say %s: %s", want, body)
		}
	}
}

// TestFailure_IsToldOnce: two steps of a group fail for good, the function throws, and its handler of failures runs once. Spec 02 §17.1,
// §23.
func TestFailure_IsToldOnce(t *testing.T) {
	t.Parallel()
	told := make(chan call, 10)
	tells := func(c call) reply { told <- c; return done("null") }
	fails := func(c call) reply {
		failed := func(id string) string {
			return `{"op":"StepFailed","id":"` + id + `","error":{"name":"Error","message":"broken ` + id + `"}}`
		}
		_, a := c.Steps["a"]
		_, b := c.Steps["b"]
		switch {
		case a && b:
			return reply{status: 400, body: `{"name":"Error","message":"rethrown"}`, header: map[string]string{"X-Inngest-No-Retry": "true"}}
		case c.Target == "step":
			return ops(`{"op":"StepPlanned","id":"a"}`, `{"op":"StepPlanned","id":"b"}`)
		default:
			return ops(failed(c.Target))
		}
	}
	p, a := serve(t, map[string]handler{
		"fn":     {answer: fails, retries: 3},
		"failed": {trigger: `[{"event":"inngest/function.failed","expression":"event.data.function_id == 'app-fn'"}]`, answer: tells},
		"other":  {trigger: `[{"event":"inngest/function.failed","expression":"event.data.function_id == 'app-other'"}]`, answer: tells},
		"last":   {answer: always(done("null"))},
	})
	event := p.send("any", named("app/fn", "{}"))
	if status, output := p.finished(event); status != "Failed" || output != `{"name":"Error","message":"rethrown"}` {
		t.Errorf("the run ended as %s with %s", status, output)
	}
	var data struct {
		RunID      string `json:"run_id"`
		FunctionID string `json:"function_id"`
		Error      struct{ Name, Message string }
	}
	if err := json.Unmarshal((<-told).Event.Data, &data); err != nil || data.RunID != p.started(event).RunID || data.FunctionID != "app-fn" || data.Error.Message != "rethrown" {
		t.Errorf("told %+v, %v", data, err)
	}
	p.finished(p.send("any", named("app/last", "{}")))
	if calls := map[string]int{"fn": a.called("fn"), "failed": a.called("failed"), "other": a.called("other")}; !cmp.Equal(calls, map[string]int{"fn": 4, "failed": 1, "other": 0}) {
		t.Errorf("calls %v", calls)
	}
}

// TestStatus_BetweenAttempts: a run that will be tried again has not failed, whoever asks. Spec 02 §22 #34.
func TestStatus_BetweenAttempts(t *testing.T) {
	t.Parallel()
	failing := inTurn(reply{status: 500, body: `{"name":"Error","message":"x"}`, header: map[string]string{"Retry-After": "3600"}})
	p, a := serve(t, map[string]handler{
		"fn":       {retries: 1, answer: failing},
		"complete": {answer: always(ops(`{"op":"RunComplete","id":"0737","data":{"ok":true}}`))},
	})
	event := p.send("any", named("app/fn", "{}"))
	p.await("the app is not called", func() bool { return a.called("fn") == 1 })
	run := p.started(event)
	for _, path := range []string{"/v1/events/" + event + "/runs", "/v1/runs/" + run.RunID} {
		_, body := p.ask(http.MethodGet, path, "")
		if !strings.Contains(body, `"status":"Running"`) || strings.Contains(body, "Failed") {
			t.Errorf("%s: %s", path, body)
		}
	}
	completed := p.send("any", named("app/complete", "{}"))
	if status, output := p.finished(completed); status != "Completed" || output != `{"ok":true}` {
		t.Errorf("a run with a RunComplete ended as %s with %s", status, output)
	}
}

// TestRetries_CountsOfExecutions: spec 02 §10, §22 #33, §23.
func TestRetries_CountsOfExecutions(t *testing.T) {
	t.Parallel()
	noRetry := map[string]string{"X-Inngest-No-Retry": "true"}
	thrown := reply{status: 500, body: `{"name":"Error","message":"x"}`}
	stepError := ops(`{"op":"StepError","id":"s","error":{"name":"Error","message":"x"}}`)
	final := thrown
	final.status, final.header = 400, noRetry
	finalStep := stepError
	finalStep.header = noRetry
	// inStep gives the answer until the step has a memo, and then rethrows its error or goes on without it.
	inStep := func(answer reply, after reply) func(call) reply {
		return func(c call) reply {
			if _, failed := c.Steps["s"]; failed {
				return after
			}
			return answer
		}
	}
	var lastAttempt int
	functions := map[string]struct {
		handler
		calls          int
		status, output string
	}{
		"function-0":          {handler{retries: 0, answer: always(thrown)}, 1, "Failed", thrown.body},
		"function-1":          {handler{retries: 1, answer: always(thrown)}, 2, "Failed", thrown.body},
		"function-no-retry":   {handler{retries: 3, answer: always(final)}, 1, "Failed", thrown.body},
		"function-20":         {handler{retries: 20, answer: func(c call) reply { lastAttempt = c.Ctx.Attempt; return thrown }}, 21, "Failed", thrown.body},
		"step-0-rethrown":     {handler{retries: 0, answer: inStep(stepError, final)}, 2, "Failed", thrown.body},
		"step-1-rethrown":     {handler{retries: 1, answer: inStep(stepError, final)}, 3, "Failed", thrown.body},
		"step-1-caught":       {handler{retries: 1, answer: inStep(stepError, done(`"caught"`))}, 3, "Completed", `"caught"`},
		"step-no-retry":       {handler{retries: 3, answer: inStep(finalStep, done(`"caught"`))}, 2, "Completed", `"caught"`},
		"bad-op-of-1st-call":  {handler{retries: 1, answer: always(ops(`{"op":"Sleep","id":"n","name":"junk"}`))}, 2, "Failed", ""},
		"step-then-fn-errors": {handler{retries: 3, answer: inTurn(stepError, stepError, ops(`{"op":"StepRun","id":"s","data":1}`), thrown, done(`"done"`))}, 5, "Completed", `"done"`},
	}
	handlers := map[string]handler{}
	for name, fn := range functions {
		handlers[name] = fn.handler
	}
	p, a := serve(t, handlers)
	events := map[string]string{}
	for name := range functions {
		events[name] = p.send("any", named("app/"+name, "{}"))
	}
	for name, fn := range functions {
		t.Run(name, func(t *testing.T) {
			status, output := p.finished(events[name])
			if status != fn.status || fn.output != "" && output != fn.output || a.called(name) != fn.calls {
				t.Errorf("%s with %s after %d calls, want %s with %s after %d", status, output, a.called(name), fn.status, fn.output, fn.calls)
			}
		})
	}
	if lastAttempt != 20 {
		t.Errorf("the last of 21 attempts has the number %d", lastAttempt)
	}
}

// TestParallel_CountsOfCalls: five branches of every kind and a sleep after them take four calls, eight when they race. Spec 02 §8.5.
func TestParallel_CountsOfCalls(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]int{"": 4, "wait": 4, "race": 8} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			branch := func(op, id, name, opts string) string {
				if mode != "" {
					opts += `,"parallelMode":"` + mode + `"`
				}
				return fmt.Sprintf(`{"op":%q,"id":%q,"name":%q,"opts":{%s}}`, op, id, name, strings.TrimPrefix(opts, ","))
			}
			var fetched string
			answer := func(c call) reply {
				branches := []string{"fetch", "invoke", "run", "sleep", "wait"}
				open := slices.DeleteFunc(branches, func(id string) bool { _, done := c.Steps[id]; return done })
				_, slept := c.Steps["last"]
				switch {
				case c.Target == "run":
					return ops(branch("StepRun", "run", "run", ""))
				case slept:
					return done(`"done"`)
				case len(open) == 0, mode == "race" && len(open) < 5:
					return ops(`{"op":"Sleep","id":"last","name":"` + map[bool]string{true: "1s", false: "10ms"}[mode == "race"] + `"}`) // the losers of the race come first
				}
				return ops(branch("Gateway", "fetch", "fetch", `"url":"`+fetched+`/ok"`), branch("InvokeFunction", "invoke", "invoke", `"function_id":"app-none","payload":{},"timeout":"1s"`),
					branch("StepPlanned", "run", "run", ""), branch("Sleep", "sleep", "20ms", ""), branch("WaitForEvent", "wait", "wait", `"event":"app/none","timeout":"20ms"`))
			}
			p, a := serve(t, map[string]handler{"fn": {answer: answer}})
			fetched = p.url + "/health?x="
			if status, output := p.finished(p.send("any", named("app/fn", "{}"))); status != "Completed" || output != `"done"` {
				t.Errorf("the run ended as %s with %s", status, output)
			}
			if calls := a.called("fn"); calls != want {
				t.Errorf("%d calls, want %d", calls, want)
			}
		})
	}
}
