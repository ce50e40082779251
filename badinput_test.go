package ingot

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBadInput_EndsTheRun: whatever an app answers, its run ends within the attempts that it has, and the output names what
// was wrong. None of these may leave a run without an end, be tried without end, or bring the server down.
func TestBadInput_EndsTheRun(t *testing.T) {
	t.Parallel()
	const attempts = 2
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf(`{"op":"StepPlanned","id":"s%d"}`, i)
	}
	wait := func(opts string) reply {
		return ops(`{"op":"WaitForEvent","id":"w","displayName":"my wait","opts":` + opts + `}`)
	}
	cases := map[string]struct {
		answer reply
		// data is that of the event, none by default.
		data string
		// calls is how often the app is called: once for what fails the run at once, else as often as it has attempts.
		calls int
		// output is the run's output, want a part of it.
		output, want string
	}{
		"expression-does-not-compile": {
			answer: wait(`{"event":"x","timeout":"1h","if":"async.data.a =="}`), calls: 1,
			want: `{"error":{"error":"InvalidExpression: Wait for event If expression failed to compile","name":"InvalidExpression",` +
				`"message":"Wait for event If expression failed to compile","stack":"error compiling expression: ERROR: \u003cinput\u003e:1:16: Syntax error: `,
		},
		"expression-names-nothing-known": {answer: wait(`{"event":"x","timeout":"1h","if":"user.x == 1"}`), calls: 1, want: `undeclared reference to 'user'`},
		"expression-costs-too-much": {
			answer: wait(`{"event":"x","timeout":"1h","if":"event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, a + b + c > 0.0))) && async.data.x == 1"}`),
			data:   `{"l":[` + strings.Repeat("1,", 999) + `1]}`, calls: 1, want: `"name":"CompileError","message":"Could not compile expression","stack":"`,
		},
		"wait-timeout-is-none":       {answer: wait(`{"event":"x","timeout":"soon"}`), calls: attempts, want: `WaitForEvent \"my wait\": timeout: invalid duration \"soon\"`},
		"wait-timeout-is-no-instant": {answer: wait(`{"event":"x","timeout":"2026-02-30T00:00:00Z"}`), calls: attempts, want: `timeout: invalid RFC 3339 timestamp \"2026-02-30T00:00:00Z\"`},
		"wait-timeout-is-a-number":   {answer: wait(`{"event":"x","timeout":5}`), calls: attempts, want: `WaitForEvent \"my wait\": opts: json: cannot unmarshal number into Go struct field .timeout`},
		"wait-options-are-a-list":    {answer: wait(`[]`), calls: attempts, want: `WaitForEvent \"my wait\": opts: `},
		"wait-of-more-than-a-year": {
			answer: wait(`{"event":"x","timeout":"400d"}`), calls: 1,
			output: `{"error":{"error":"InngestErrTimeoutTooLong: The wait-for-event timeout \"400d\" expires more than one year in the future; timeouts may last at most one year.",` +
				`"name":"InngestErrTimeoutTooLong","message":"The wait-for-event timeout \"400d\" expires more than one year in the future; timeouts may last at most one year."}}`,
		},
		"signal-timeout-is-none":     {answer: ops(`{"op":"WaitForSignal","id":"w","name":"my signal","opts":{"signal":"s","timeout":"soon"}}`), calls: attempts, want: `WaitForSignal \"my signal\": timeout: invalid duration \"soon\"`},
		"invoke-without-payload":     {answer: ops(`{"op":"InvokeFunction","id":"i","name":"my call","opts":{"function_id":"app-x"}}`), calls: attempts, want: `InvokeFunction \"my call\": payload: is missing`},
		"invoke-of-nothing":          {answer: ops(`{"op":"InvokeFunction","id":"i","name":"my call","opts":{"payload":{}}}`), calls: attempts, want: `InvokeFunction \"my call\": function_id: is missing`},
		"invoke-without-options":     {answer: ops(`{"op":"InvokeFunction","id":"i","name":"my call"}`), calls: attempts, want: `InvokeFunction \"my call\": function_id: is missing`},
		"invoke-timeout-is-none":     {answer: ops(`{"op":"InvokeFunction","id":"i","name":"my call","opts":{"function_id":"app-x","payload":{},"timeout":"soon"}}`), calls: attempts, want: `InvokeFunction \"my call\": timeout: invalid duration`},
		"sleep-is-none":              {answer: ops(`{"op":"Sleep","id":"n","name":"soon"}`), calls: attempts, want: `unable to parse sleep \"soon\" of op n`},
		"step-error-without-error":   {answer: ops(`{"op":"StepError","id":"s1"}`), calls: attempts, want: `OpcodeStepError received without Error field set: s1`},
		"step-error-among-others":    {answer: ops(`{"op":"StepRun","id":"a","data":1}`, `{"op":"StepError","id":"s2","error":null}`), calls: attempts, want: `OpcodeStepError received without Error field set: s2`},
		"unknown-opcode":             {answer: ops(`{"op":"Brew","id":"b"}`), calls: attempts, want: `Brew does not belong to Opcode values`},
		"opcode-is-a-number":         {answer: ops(`{"op":7,"id":"b"}`), calls: attempts, want: `Opcode should be a string, got 7`},
		"op-without-an-id":           {answer: ops(`{"op":"StepRun","data":1}`), calls: attempts, want: `the app answered with a StepRun op that has no id`},
		"op-is-null":                 {answer: ops(`null`), calls: attempts, want: `error validating generator opcode 0: opcode cannot be null`},
		"op-is-a-number":             {answer: ops(`7`), calls: attempts, want: `error reading generator opcode response`},
		"ops-are-cut-off":            {answer: reply{status: 206, body: `[{"op":`}, calls: attempts, want: `error reading generator opcode response: unexpected end of JSON input`},
		"ops-are-missing":            {answer: reply{status: 206}, calls: attempts, want: `no response data`},
		"ops-lead-nowhere":           {answer: ops(), calls: attempts, want: `the app answered without a step, a result or an error`},
		"ops-ask-for-the-same-again": {answer: ops(`{"op":"DiscoveryRequest","id":"d"}`), calls: attempts, want: `the app answered without a step, a result or an error`},
		"step-is-not-found":          {answer: ops(`{"op":"StepNotFound","id":"n","displayName":"my step"}`), calls: attempts, want: `the app could not find step \"my step\" to run`},
		"step-is-too-large":          {answer: ops(`{"op":"StepRun","id":"s1","data":"` + strings.Repeat("x", 4<<20) + `"}`), calls: attempts, want: `step output size is greater than the limit`},
		"more-ops-than-one-may-list": {
			answer: ops(many...), calls: 1,
			output: `{"error":{"error":"InngestErrFunctionOverflowed: The function run exceeded the step limit of 1000 steps.",` +
				`"name":"InngestErrFunctionOverflowed","message":"The function run exceeded the step limit of 1000 steps."}}`,
		},
		"answer-of-no-sdk":      {answer: reply{status: 200, body: `<html>`, header: map[string]string{"X-Inngest-Sdk": ""}}, calls: attempts, want: `\u003chtml\u003e`},
		"ops-of-no-sdk":         {answer: reply{status: 206, body: `[{"op":"StepRun","id":"a"}]`, header: map[string]string{"X-Inngest-Sdk": ""}}, calls: attempts, want: `StepRun`},
		"status-is-unheard-of":  {answer: reply{status: 799, body: `"x"`}, calls: attempts, want: `"x"`},
		"stream-without-an-end": {answer: reply{status: 201, body: `{"status":206,"body":`}, calls: attempts, want: `error parsing stream`},
	}
	functions := map[string]handler{}
	for name, c := range cases {
		functions[name] = handler{retries: attempts - 1, answer: always(c.answer)}
	}
	p, a := serve(t, functions)
	events := map[string]string{}
	for name, c := range cases {
		if c.data == "" {
			c.data = "{}"
		}
		events[name] = p.send("any", named("app/"+name, c.data))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, output := p.finished(events[name])
			if status != "Failed" || !strings.Contains(output, c.want) || c.output != "" && c.output != output {
				t.Errorf("the run ended as %s with\n%.600s\nwant\n%s%s", status, output, c.output, c.want)
			}
			if calls := a.called(name); calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
		})
	}
	if status, _ := p.ask(http.MethodGet, "/health", ""); status != http.StatusOK {
		t.Errorf("health: status %d", status)
	}
}

// TestBadInput_IsRefused: calls of the API that name a run or a signal that is not there, or ask for what cannot be, get the
// answers of spec 02 §19 and §9.6.
func TestBadInput_IsRefused(t *testing.T) {
	t.Parallel()
	inHand, letGo := make(chan call), make(chan struct{})
	p, a := serve(t, map[string]handler{
		"ends": {answer: always(done(`"done"`))},
		"held": {answer: func(c call) reply {
			if _, saved := c.Steps["a"]; saved {
				return done(string(c.Steps["a"]))
			}
			inHand <- c
			<-letGo
			return ops()
		}},
	})
	ended := p.send("any", named("app/ends", "{}"))
	p.finished(ended)
	endedRun := p.started(ended).RunID
	held := p.send("any", named("app/held", "{}"))
	inProgress := <-inHand

	checkpoint := func(run, steps, more string) (string, string) {
		return "/v1/checkpoint/" + run + "/async", fmt.Sprintf(`{"run_id":%q,"fn_id":%q,"qi_id":%q,"steps":%s%s}`,
			run, inProgress.Ctx.FnID, inProgress.Ctx.QueueItemID, steps, more)
	}
	refused := func(text, run string, status int) string {
		data := "null"
		if run != "" {
			data = fmt.Sprintf(`{"run_id":%q}`, run)
		}
		return fmt.Sprintf(`{"error":%q,"data":%s,"status":%d}`, text, data, status)
	}
	const oneStep = `[{"op":"StepRun","id":"z","data":1}]`
	const unknown = "01J8ZKZ5H4X0V6QK3N8N3W9R7T"
	for name, c := range map[string]struct {
		request func() (string, string)
		status  int
		want    string
	}{
		"a signal nobody waits for": {func() (string, string) { return "/v1/signals", `{"signal":"s","data":1}` }, 404, refused("No signal found", "", 404)},
		"a signal that is no JSON":  {func() (string, string) { return "/v1/signals", `{"signal":` }, 400, refused("Invalid signal data", "", 400)},
		"a checkpoint of a run that has ended": {
			func() (string, string) { return checkpoint(endedRun, oneStep, "") }, 400, refused("run not found in state store", endedRun, 400),
		},
		"a checkpoint of a run that never was": {
			func() (string, string) { return checkpoint(unknown, oneStep, "") }, 400, refused("run not found in state store", unknown, 400),
		},
		"a checkpoint of a sleep": {
			func() (string, string) {
				return checkpoint(inProgress.Ctx.RunID, `[{"op":"Sleep","id":"n","name":"1s"}]`, "")
			}, 400,
			refused("cannot checkpoint async steps", inProgress.Ctx.RunID, 400),
		},
		"a checkpoint of a step and a sleep, of which nothing is saved": {
			func() (string, string) {
				return checkpoint(inProgress.Ctx.RunID, `[{"op":"StepRun","id":"a","data":"half"},{"op":"Sleep","id":"n","name":"1s"}]`, "")
			}, 400, refused("cannot checkpoint async steps", inProgress.Ctx.RunID, 400),
		},
		"a checkpoint of an end": {
			func() (string, string) {
				return checkpoint(inProgress.Ctx.RunID, `[{"op":"RunComplete","id":"n","data":1}]`, "")
			}, 400,
			refused("cannot checkpoint opcode: RunComplete", inProgress.Ctx.RunID, 400),
		},
		"a checkpoint of an unknown opcode": {
			func() (string, string) { return checkpoint(inProgress.Ctx.RunID, `[{"op":"Brew","id":"n"}]`, "") }, 400, "Brew does not belong to Opcode values",
		},
		"a checkpoint that is no JSON": {func() (string, string) { return "/v1/checkpoint/x/async", `{"run_id":` }, 400, "invalid request body: unexpected end of JSON input"},
		"a checkpoint of a step that is too large": {
			func() (string, string) {
				return checkpoint(inProgress.Ctx.RunID, `[{"op":"StepRun","id":"n","data":"`+strings.Repeat("x", 4<<20)+`"}]`, "")
			}, 413,
			refused("step n output too large: step output size is greater than the limit", inProgress.Ctx.RunID, 413),
		},
		"cancelling a run that never was": {func() (string, string) { return "DELETE /v1/runs/" + unknown, "" }, 404, "Unable to load function run: " + unknown},
	} {
		t.Run(name, func(t *testing.T) {
			path, body := c.request()
			method := http.MethodPost
			if verb, rest, found := strings.Cut(path, " "); found {
				method, path = verb, rest
			}
			status, answer := p.ask(method, path, body)
			if status != c.status || !strings.Contains(strings.Join(strings.Fields(answer), " "), strings.Join(strings.Fields(c.want), " ")) {
				t.Errorf("status %d, want %d; body %s, want %s", status, c.status, answer, c.want)
			}
		})
	}

	// A checkpoint of another dispatch is no reason to lose what it has done; a step keeps its first result.
	for _, c := range []struct{ data, more string }{{`"first"`, `,"generation_id":99`}, {`"second"`, ""}} {
		path, body := checkpoint(inProgress.Ctx.RunID, `[{"op":"StepRun","id":"a","data":`+c.data+`}]`, c.more)
		if status, answer := p.ask(http.MethodPost, path, body); status != http.StatusOK || answer != "" {
			t.Errorf("checkpoint of %s: status %d, body %s", c.data, status, answer)
		}
	}
	close(letGo)
	if status, output := p.finished(held); status != "Completed" || output != `{"data":"first"}` {
		t.Errorf("the run ended as %s with %s", status, output)
	}
	if diff := cmp.Diff(map[string]int{"ends": 1, "held": 2}, map[string]int{"ends": a.called("ends"), "held": a.called("held")}); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestBadInput_AnAnswerForARunThatHasEndedIsDropped cancels a run while the app works on it: the answer changes nothing, and the app
// is not called again.
func TestBadInput_AnAnswerForARunThatHasEndedIsDropped(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]reply{
		"a step": ops(`{"op":"StepRun","id":"a","data":1}`), "a result": done(`"late"`), "an error": {status: 500, body: `{"name":"Error","message":"late"}`},
		"a sleep": ops(`{"op":"Sleep","id":"n","name":"1ms"}`), "a wait": ops(`{"op":"WaitForEvent","id":"w","opts":{"event":"x","timeout":"1ms"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quiet()
			cfg.RetryInterval, cfg.QueueWorkers = time.Millisecond, 1 // so that what follows comes after the answer was dealt with
			inHand, letGo, follows := make(chan string), make(chan struct{}), make(chan struct{})
			p, a := serveWith(t, cfg, map[string]handler{
				"held": {retries: 3, answer: func(c call) reply {
					inHand <- c.Ctx.RunID
					<-letGo
					return answer
				}},
				"next": {trigger: `[{"event":"inngest/function.cancelled"}]`, answer: func(call) reply { follows <- struct{}{}; return done("null") }},
			})
			event := p.send("any", named("app/held", "{}"))
			if status, body := p.ask(http.MethodDelete, "/v1/runs/"+<-inHand, ""); status != http.StatusOK {
				t.Fatalf("cancel: status %d, body %s", status, body)
			}
			close(letGo)
			<-follows
			if status, output := p.finished(event); status != "Cancelled" || output != `{}` || a.called("held") != 1 {
				t.Errorf("the run is %s with %s after %d calls", status, output, a.called("held"))
			}
		})
	}
}
