package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/gateway"
	domainids "github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// app is an app as an SDK of version 2 would serve it. Its functions are programs: stages that come one after the
// other, each of one step or of several in parallel.
type app struct {
	w        *World
	programs []program
	// failures counts how often an answer to a run was spoilt; a run is spared before its attempts are used up.
	failures map[string]int
	// calls are those in hand, begun the runs of each program with limits that were called and may be in progress, starts when
	// its starts were handed out.
	calls  []*calling
	begun  map[string][]ulid.ULID
	starts map[string][]time.Time
}

// program is a function of the workload.
type program struct {
	name   string
	stages [][]item
	// trigger is the event that starts it, "sim/<name>" if empty; cancel is the one that cancels it.
	trigger, cancel string
	// crons are its schedules; it is started by them alone.
	crons []string
	// saves has the app save its steps while a call goes on, and do the next one at once.
	saves bool
	// settings are what its runs are limited and ordered by.
	settings function.Settings
}

// wait is a step that waits for an event with the number of the run's own.
func wait(id, name, timeout string) item {
	return item{id: id, op: "WaitForEvent", opts: `{"event":"sim/` + name + `","timeout":"` + timeout + `","if":"async.data.n == event.data.n"}`}
}

// invokes is a step that invokes a function.
func invokes(id, slug string) item {
	return item{id: id, op: "InvokeFunction", opts: `{"function_id":"` + slug + `","payload":{"data":{"n":%d}},"timeout":"100h"}`}
}

// item is a step of a program.
type item struct {
	id    string
	sleep string // duration, empty for a step that runs
	final bool   // the step fails for good, and the function with it
	op    string // an op that the server does the work of, with its options; "%d" stands for the number of the event
	opts  string
}

func newApp(w *World) *app {
	programs := []program{
		{name: "plain"},
		{name: "steps", stages: [][]item{{{id: "a"}}, {{id: "b"}}, {{id: "c"}}}},
		{name: "nap", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "1h"}}, {{id: "b"}}}},
		{name: "fan", stages: [][]item{{{id: "a"}}, {{id: "p1"}, {id: "p2"}, {id: "p3"}}, {{id: "z"}}}},
		{name: "mixed", stages: [][]item{{{id: "s1", sleep: "5s"}, {id: "p1"}, {id: "s2", sleep: "10s"}}, {{id: "q1"}, {id: "q2"}}}},
		{name: "fails", stages: [][]item{{{id: "a"}}, {{id: "boom", final: true}}}},
		{name: "waits", stages: [][]item{{{id: "a"}}, {wait("w", "wake", "2h")}, {{id: "b"}}}},
		{name: "both", stages: [][]item{{wait("w1", "wake", "1h"), wait("w2", "other", "30m"), {id: "p"}}, {{id: "z"}}}},
		{name: "signals", stages: [][]item{{{id: "s", op: "WaitForSignal", opts: `{"signal":"signal-%d","timeout":"1h"}`}}, {{id: "b"}}}},
		{name: "invokes", stages: [][]item{{invokes("i", "sim-steps")}, {{id: "b"}}}},
		{name: "asks", stages: [][]item{{invokes("i1", "sim-fails"), invokes("i2", "sim-none"), {id: "p"}}, {{id: "b"}}}},
		{name: "fetches", stages: [][]item{{{id: "f", op: "Gateway", opts: `{"url":"http://other.test/"}`}}, {{id: "b"}}}},
		{name: "defers", stages: [][]item{{{id: "a"}}, {{id: "d", op: "DeferAdd", opts: `{"fn_slug":"sim-later","input":{"n":%d}}`}}}},
		{name: "saves", stages: [][]item{{{id: "a"}}, {{id: "b"}}, {{id: "nap", sleep: "1m"}}, {{id: "c"}}, {{id: "d"}}}, saves: true},
		{name: "ticks", stages: [][]item{{{id: "a"}}, {{id: "b"}}}, crons: []string{"0 */2 * * *", "0 */4 * * *"}},
		{name: "hears", stages: [][]item{{{id: "a"}}}, trigger: event.ScheduledTimer},
		{name: "collects", stages: [][]item{{{id: "a"}}, {{id: "b"}}}},
		{name: "settles", stages: [][]item{{{id: "a"}}}},
		{name: "rarely", stages: [][]item{{{id: "a"}}}},
		{name: "alone", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "20m"}}, {{id: "b"}}}},
		{name: "latest", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "1h"}}, {{id: "b"}}}},
		{name: "later", stages: [][]item{{{id: "a"}}}, trigger: event.DeferredSchedule},
		{name: "stops", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "3h"}}, {{id: "b"}}}, cancel: "sim/stop"},
	}
	return &app{
		w: w, programs: append(programs, limitedPrograms()...), failures: map[string]int{},
		begun: map[string][]ulid.ULID{}, starts: map[string][]time.Time{},
	}
}

const appURL = "http://app.test/api/inngest"

func (a *app) identity() function.App {
	return function.App{ID: domainids.AppID("sim"), Name: "sim", URL: appURL, SDK: "js", Method: function.MethodServe}
}

func (a *app) functions() []function.Function {
	all := make([]function.Function, len(a.programs))
	for i, p := range a.programs {
		uri := appURL + "?fnId=" + p.name + "&stepId=step"
		trigger := function.Trigger{Event: p.trigger}
		if trigger.Event == "" {
			trigger.Event = "sim/" + p.name
		}
		if trigger.Event == event.DeferredSchedule {
			trigger.Expression = "event.data._inngest.fn_slug == 'sim-" + p.name + "'"
		}
		all[i] = function.Function{
			ID: domainids.FunctionID(p.name, uri), AppID: a.identity().ID, Version: 1, Name: p.name, Slug: "sim-" + p.name,
			Triggers: triggers(p, trigger), Step: function.Step{ID: "step", Name: "step", URI: uri}, Settings: p.settings,
		}
		if settings, found := controlled[p.name]; found {
			all[i].Settings = settings
		}
		if p.cancel != "" {
			all[i].Settings.Cancel = []function.Cancel{{Event: p.cancel, If: "async.data.n == event.data.n"}}
		}
	}
	return all
}

// triggers are those of a program: the one for an event, or its schedules.
func triggers(p program, onEvent function.Trigger) []function.Trigger {
	if len(p.crons) == 0 {
		return []function.Trigger{onEvent}
	}
	var all []function.Trigger
	for _, expression := range p.crons {
		all = append(all, function.Trigger{Cron: expression})
	}
	return all
}

// Do implements ports.Gateway.
func (a *app) Do(context.Context, gateway.Request, func([]byte)) (gateway.Response, error) {
	a.w.stop("request")
	if a.w.faults && a.w.chance(8) {
		return gateway.Response{TransportError: "connection refused"}, nil
	}
	return gateway.Response{Status: 200, Header: map[string][]string{"X-A": {"b"}}, Body: []byte("ok")}, nil
}

// callBody is what the app reads of a call.
type callBody struct {
	Ctx struct {
		RunID   string   `json:"run_id"`
		Attempt int      `json:"attempt"`
		Max     int      `json:"max_attempts"`
		Disable bool     `json:"disable_immediate_execution"`
		Stack   struct{} `json:"-"`
	} `json:"ctx"`
	Event struct {
		ID   string `json:"id"`
		Data struct {
			N    int    `json:"n"`
			Cron string `json:"cron"`
		} `json:"data"`
	} `json:"event"`
	Steps  map[string]json.RawMessage `json:"steps"`
	Defers map[string]json.RawMessage `json:"defers"`
}

// Call implements ports.Worker.
func (a *app) Call(ctx context.Context, c ports.Call) (sdk.Response, error) {
	a.w.stop("call " + c.URL)
	u, err := url.Parse(c.URL)
	if err != nil {
		return sdk.Response{}, err
	}
	if strings.HasPrefix(c.URL, endpointDomain) {
		return a.callEndpoint(ctx, u, c), nil
	}
	var body callBody
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return sdk.Response{}, fmt.Errorf("call body: %w", err)
	}
	name, target := u.Query().Get("fnId"), u.Query().Get("stepId")
	id, err := ulid.ParseStrict(body.Ctx.RunID)
	if err != nil {
		return sdk.Response{}, fmt.Errorf("run of call: %w", err)
	}
	a.w.check.called(name, target, body, a.w.repeats(id) || keptBack("sim/"+name))
	defer a.inHand(a.program(name), id, body)()
	if response, spoilt := a.spoil(body.Ctx.RunID); spoilt {
		return response, nil
	}
	response := a.answer(ctx, a.program(name), target, body)
	a.w.stop("answer")
	return response, nil
}

// spoil gives a bad answer once in a while, but not so often that a run's attempts are used up.
func (a *app) spoil(run string) (sdk.Response, bool) {
	if !a.w.faults || a.failures[run] == 3 || !a.w.chance(8) {
		return sdk.Response{}, false
	}
	a.failures[run]++
	response := a.spoilt(a.w.rng.IntN(4))
	a.w.stop("answer spoilt")
	return response, true
}

// Ping implements ports.Worker; apps of the simulation are registered from the start.
func (a *app) Ping(context.Context, string) (sdk.Response, error) {
	return sdk.Response{}, ports.ErrClosed
}

// Probe implements ports.Worker.
func (a *app) Probe(context.Context, string) bool { return false }

func (a *app) program(name string) program {
	for _, p := range a.programs {
		if p.name == name {
			return p
		}
	}
	return program{name: name}
}

// spoilt is an answer that no app should give.
func (a *app) spoilt(kind int) sdk.Response {
	switch kind {
	case 0:
		return sdk.Response{TransportError: "Unable to reach SDK URL"}
	case 1:
		return sdk.Response{Status: 502, Header: map[string]string{}, Body: []byte("<html>bad gateway</html>")}
	case 2:
		return reply(206, `[{"op":`)
	default:
		return reply(500, `{"name":"Error","message":"hiccup"}`)
	}
}

func reply(status int, body string) sdk.Response {
	return sdk.Response{Status: status, Body: []byte(body), Header: map[string]string{
		"X-Inngest-Sdk": "inngest-js:v4.0.0", "X-Inngest-Req-Version": "2", "Content-Type": "application/json",
	}}
}

// answer does what an SDK does: run the step asked for, or the next one, or plan what can run in parallel.
func (a *app) answer(ctx context.Context, p program, target string, body callBody) sdk.Response {
	for _, stage := range p.stages {
		var open []item
		for _, it := range stage {
			memo, done := body.Steps[it.id]
			if it.op == "DeferAdd" {
				_, done = body.Defers[it.id]
			}
			if done && it.final {
				return a.fail(string(memo))
			}
			if !done {
				open = append(open, it)
			}
		}
		if len(open) > 0 {
			return a.stage(ctx, p, open, len(stage) > 1, target, body)
		}
	}
	return reply(200, strconv.Quote("done "+body.Event.ID))
}

// fail is a function that rethrows the error of a step.
func (a *app) fail(memo string) sdk.Response {
	response := reply(400, `{"name":"Error","message":`+strconv.Quote(memo)+`}`)
	response.Header["X-Inngest-No-Retry"] = "true"
	return response
}

func (a *app) stage(ctx context.Context, p program, open []item, parallel bool, target string, body callBody) sdk.Response {
	var ops []map[string]any
	for _, it := range open {
		switch {
		case it.id == target, !parallel && target == sdk.NoTarget && !body.Ctx.Disable && it.sleep == "" && it.op == "":
			return a.runStep(ctx, p, it, target, body)
		case it.op != "":
			opts := strings.ReplaceAll(it.opts, "%d", strconv.Itoa(body.Event.Data.N))
			ops = append(ops, map[string]any{"op": it.op, "id": it.id, "name": it.id, "opts": json.RawMessage(opts)})
		case it.sleep != "":
			ops = append(ops, map[string]any{"op": "Sleep", "id": it.id, "name": it.sleep})
		default:
			ops = append(ops, map[string]any{"op": "StepPlanned", "id": it.id, "name": it.id})
		}
	}
	return opsReply(ops...)
}

func (a *app) runStep(ctx context.Context, p program, it item, target string, body callBody) sdk.Response {
	a.w.check.ran(it.id, body)
	if it.final {
		return opsReply(map[string]any{"op": "StepFailed", "id": it.id, "error": map[string]string{"name": "Error", "message": "boom"}})
	}
	data := body.Ctx.RunID + " " + it.id + " " + strconv.Itoa(a.w.check.runs(it.id, body))
	op := map[string]any{"op": "StepRun", "id": it.id, "data": data}
	if !p.saves || target != sdk.NoTarget || a.w.checkpoints.Async(ctx, encode(map[string]any{"run_id": body.Ctx.RunID, "steps": []any{op}})) != nil {
		return opsReply(op) // what could not be saved, perhaps, is answered
	}
	steps := map[string]json.RawMessage{it.id: encode(map[string]string{"data": data})}
	maps.Copy(steps, body.Steps)
	body.Steps = steps
	return a.answer(ctx, p, target, body)
}

func opsReply(ops ...map[string]any) sdk.Response {
	text, err := json.Marshal(ops)
	if err != nil {
		return sdk.Response{TransportError: err.Error()}
	}
	return reply(206, string(text))
}
