package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// endpointDomain is where the durable endpoints of the workload are. Their programs are named after their paths.
const endpointDomain = "http://endpoint.test"

func endpointPrograms() []program {
	return []program{
		{name: "quick", stages: [][]item{{{id: "a"}}, {{id: "b"}}}},
		{name: "slow", stages: [][]item{{{id: "a"}}, {{id: "nap", sleep: "1h"}}, {{id: "b"}}}},
		{name: "waiting", stages: [][]item{{wait("w", "wake", "2h")}, {{id: "b"}}}},
		{name: "broken", stages: [][]item{{{id: "a"}}, {{id: "boom", final: true}}}},
	}
}

// visit is a client's request to a durable endpoint, as an SDK works on it: it reports each step before it goes on, and sends
// the client away once it has to wait. The app may die at any moment.
type visit struct {
	w       *World
	program program
	id      ulid.ULID
	number  int
	begun   bool
	// heard is when the server was last known to have heard of the request.
	heard time.Time
	body  callBody
}

// visit begins a request to one of the endpoints.
func (w *World) visit(ctx context.Context) {
	programs := endpointPrograms()
	v := &visit{w: w, program: programs[w.rng.IntN(len(programs))], id: entropy{w}.ULID(w.clock.now), number: w.numbers, heard: w.clock.now}
	w.numbers++
	v.body.Ctx.RunID, v.body.Event.Data.N = v.id.String(), v.number
	v.body.Event.ID, v.body.Steps = v.id.String(), map[string]json.RawMessage{}
	w.start("visit "+v.program.name+" "+v.id.String(), func() { v.work(ctx) })
}

func (v *visit) work(ctx context.Context) {
	for _, stage := range v.program.stages {
		for _, it := range stage {
			v.w.stop("in request")
			if v.lost() {
				return
			}
			op := v.op(it)
			if !v.report(ctx, op) || op["op"] != "StepRun" {
				return // the app has died, or its client is sent away
			}
			v.body.Steps[it.id] = json.RawMessage(`{"data":` + strconv.Quote(op["data"].(string)) + `}`)
		}
	}
	v.w.stop("in request")
	if !v.lost() {
		v.report(ctx, endpointEnd(v.program, v.body))
	}
}

// lost reports whether the app dies, or has not been heard of for so long that the server may have gone on without it.
func (v *visit) lost() bool {
	return v.w.faults && v.w.chance(12) || v.w.clock.now.Sub(v.heard) >= run.AdoptAfter
}

// op is what the request reports for a step.
func (v *visit) op(it item) map[string]any {
	switch {
	case it.op != "":
		return map[string]any{"op": it.op, "id": it.id, "name": it.id, "opts": json.RawMessage(strings.ReplaceAll(it.opts, "%d", strconv.Itoa(v.number)))}
	case it.sleep != "":
		return map[string]any{"op": "Sleep", "id": it.id, "name": it.sleep}
	case v.w.faults && v.w.chance(6):
		return map[string]any{"op": "StepError", "id": it.id, "error": map[string]string{"name": "Error", "message": "hiccup"}}
	case it.final:
		return map[string]any{"op": "StepFailed", "id": it.id, "error": map[string]string{"name": "Error", "message": "boom"}}
	}
	v.w.check.ran(it.id, v.body)
	return map[string]any{"op": "StepRun", "id": it.id, "data": fmt.Sprintf("%s %s %d", v.id, it.id, v.w.check.runs(it.id, v.body))}
}

// endpointEnd is the op that ends a run with the endpoint's answer.
func endpointEnd(p program, body callBody) map[string]any {
	status := 200
	if p.fails() {
		status = 500
	}
	return map[string]any{"op": "RunComplete", "id": "end", "data": map[string]any{"status": status, "body": "done " + body.Ctx.RunID}}
}

// fails reports whether runs of the program end as failed.
func (p program) fails() bool {
	for _, stage := range p.stages {
		for _, it := range stage {
			if it.final {
				return true
			}
		}
	}
	return false
}

// report tells the server until it says that it knows, or refuses. It reports whether the app goes on.
func (v *visit) report(ctx context.Context, op map[string]any) bool {
	for range deliveries {
		var err error
		sent := v.w.clock.now // the server may count from any moment of the request
		if v.begun {
			err = v.w.checkpoints.Report(ctx, encode(map[string]any{"run_id": v.id, "steps": []any{op}}))
		} else {
			_, err = v.w.checkpoints.Start(ctx, "", v.w.newEndpointRun(v, op))
		}
		if err == nil {
			v.begun, v.heard = true, sent
			return true
		}
	}
	return false
}

// newEndpointRun is the request that begins a run.
func (w *World) newEndpointRun(v *visit, op map[string]any) []byte {
	return encode(map[string]any{
		"run_id": v.id, "request_version": 2, "retries": 4, "steps": []any{op},
		"event": map[string]any{"id": v.id.String(), "name": "http/" + v.program.name, "data": map[string]any{
			"domain": endpointDomain, "method": "POST", "path": "/" + v.program.name, "body": `{"n":` + strconv.Itoa(v.number) + `}`,
		}},
	})
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values are made of texts and numbers
	}
	return text
}

// callEndpoint is the server's call of an endpoint: the app asks for the run's steps, and does the next one.
func (a *app) callEndpoint(ctx context.Context, u *url.URL, c ports.Call) sdk.Response {
	id, err := ulid.ParseStrict(c.Header["X-Run-Id"])
	if err != nil {
		return reply(500, `"no run"`)
	}
	state, err := a.w.backend.Load(ctx, id)
	if err != nil {
		return reply(500, `"the run is gone"`)
	}
	var body callBody
	body.Ctx.RunID, body.Ctx.Disable = id.String(), c.Header["X-Inngest-Force-Step-Plan"] == "true"
	body.Event.ID, body.Steps = state.Events[0].ID, state.Steps
	if err := json.Unmarshal(c.Body, &body.Event.Data); err != nil {
		a.w.check.violated("run %s: the request's body is %q", id, c.Body)
	}
	name, target := strings.TrimPrefix(u.Path, "/"), sdk.NoTarget
	if step := c.Header["X-Inngest-Step-Id"]; step != "" {
		target = step
	}
	a.w.check.called(name, target, body, a.w.repeats(id))
	if response, spoilt := a.spoil(id.String()); spoilt {
		return response
	}
	program := a.endpoint(name)
	response := a.answer(ctx, program, target, body)
	if response.Status != 206 {
		response = reply(206, string(encode(endpointEnd(program, body))))
	}
	a.w.stop("answer")
	return response
}

func (a *app) endpoint(name string) program {
	for _, p := range endpointPrograms() {
		if p.name == name {
			return p
		}
	}
	return program{name: name}
}

// silence is a broadcast and a signer that nobody uses: the simulation has no clients that wait.
type silence struct {
	ports.Broadcast
	ports.Tokens
}

func (silence) SignRun(realtime.RunClaims) (string, error)   { return "", nil }
func (silence) SignRealtime(realtime.Claims) (string, error) { return "", nil }

func limits(uuid.UUID) run.Limits { return run.DefaultLimits }

// record is what history has of a run.
func (w *World) record(id ulid.ULID) ports.RunRecord {
	record, err := w.backend.Run(context.Background(), id)
	if err != nil {
		return ports.RunRecord{}
	}
	return record
}

// repeats reports whether the run repeats another one.
func (w *World) repeats(id ulid.ULID) bool {
	return w.record(id).OriginalRunID != (ulid.ULID{})
}

// rerun starts a run again that has begun, perhaps from one of its steps.
func (w *World) rerun(ctx context.Context) {
	runs := w.backend.Runs()
	if len(runs) == 0 {
		return
	}
	id := runs[w.rng.IntN(len(runs))].RunID
	if w.slug(w.record(id)) == "sim-signals" {
		return // two runs that wait for one signal are in conflict
	}
	var from *run.From
	if steps, err := w.backend.Steps(ctx, id); err == nil && len(steps) > 0 && w.chance(2) {
		from = &run.From{Step: steps[w.rng.IntN(len(steps))].ID}
	}
	w.start("rerun "+id.String(), func() { _, _ = w.reruns.Run(ctx, id, from) })
}
