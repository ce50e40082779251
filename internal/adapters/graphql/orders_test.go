package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

func TestInvokeFunction(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	const ask = `mutation($data:Map,$user:Map,$meta:Map){invokeFunction(functionSlug:"app-a",data:$data,user:$user,meta:$meta,debugSessionID:"01HZX3Z9QG7V5K8M2N4P6R8T0W")}`
	variables := map[string]any{"data": map[string]any{"b": json.Number("9007199254740993"), "a": "<x>"}, "user": map[string]any{"u": 1}, "meta": map[string]any{"sessions": map[string]any{"s": 7}}}
	if got := f.ask(ask, variables); got != `{"data":{"invokeFunction":true}}` {
		t.Fatal(got)
	}
	if got := f.ask(`mutation{invokeFunction(functionSlug:"app-a")}`, nil); got != `{"data":{"invokeFunction":true}}` {
		t.Fatal(got)
	}
	f.work()
	runs := f.runs(10, nil, order("QUEUED_AT", "ASC"), map[string]any{})
	if len(runs.Edges) != 2 || runs.Edges[0].Node.Status != "COMPLETED" {
		t.Fatalf("runs are %+v", runs)
	}
	first := f.ask(`{runTrigger(runID:"`+runs.Edges[0].Node.ID+`"){eventName payloads}}`, nil)
	for _, want := range []string{
		`"eventName":"inngest/function.invoked"`,
		`\"_inngest\":{\"source_app_id\":\"\",\"source_fn_id\":\"\",\"source_fn_v\":0,\"fn_id\":\"app-a\",\"expire\":0,\"gid\":\"\",\"name\":\"\",\"debug_session_id\":\"01HZX3Z9QG7V5K8M2N4P6R8T0W\"}`,
		`\"a\":\"\u003cx\u003e\",\"b\":9007199254740993`, `\"user\":{\"u\":1}`, `\"meta\":{\"sessions\":{\"s\":\"7\"}}`,
	} {
		if !strings.Contains(first, want) && !strings.Contains(first, strings.ReplaceAll(strings.ReplaceAll(want, `\u003c`, "<"), `\u003e`, ">")) {
			t.Errorf("%s is not in %s", want, first)
		}
	}
	f.expect(map[string]string{
		`mutation{invokeFunction(functionSlug:"app-a",meta:{user:1})}`:                                    `{"errors":[{"message":"event meta \"user\" is not supported","path":["invokeFunction"]}],"data":{"invokeFunction":null}}`,
		`mutation{invokeFunction(functionSlug:"app-a",meta:{sessions:1})}`:                                `{"errors":[{"message":"event meta sessions must be an object","path":["invokeFunction"]}],"data":{"invokeFunction":null}}`,
		`mutation{invokeFunction(functionSlug:"app-a",meta:{sessions:{a:true}})}`:                         `{"errors":[{"message":"session \"a\" must be a string or number","path":["invokeFunction"]}],"data":{"invokeFunction":null}}`,
		`mutation{invokeFunction(functionSlug:"app-a",data:{},user:{})}`:                                  `{"data":{"invokeFunction":true}}`,
		`{debugRun(query:{functionSlug:"a"}){debugTraces{name}}}`:                                         `{"data":{"debugRun":{"debugTraces":null}}}`,
		`{debugRun(query:{functionSlug:"a",debugRunID:"x"}){debugTraces{name}}}`:                          `{"errors":[{"message":"invalid debugRunID: ulid: bad data size when unmarshaling","path":["debugRun"]}],"data":{"debugRun":null}}`,
		`{debugRun(query:{functionSlug:"a",debugRunID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"}){debugTraces{name}}}`: `{"data":{"debugRun":{"debugTraces":[]}}}`,
		`{debugSession(query:{functionSlug:"a"}){debugRuns{status}}}`:                                     `{"errors":[{"message":"debug session not found","path":["debugSession"]}],"data":{"debugSession":null}}`,
	})
}

func TestCreateDebugSession_MakesTwoIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	made := data[struct {
		CreateDebugSession struct{ DebugSessionID, DebugRunID ulid.ULID }
	}](f, `mutation{createDebugSession(input:{functionSlug:"app-a"}){debugSessionID debugRunID}}`, nil).CreateDebugSession
	if made.DebugSessionID == made.DebugRunID || made.DebugRunID.IsZero() {
		t.Errorf("made %+v", made)
	}
}

func TestCancelRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "open", "ok")
	f.answer = func(c call) response {
		if strings.Contains(c.URL, "open") {
			return respond(206, `[{"id":"`+strings.Repeat("a", 40)+`","op":"Sleep","name":"1h","displayName":"nap"}]`)
		}
		return respond(200, `{}`)
	}
	open, ended := f.run(f.send("open", `{}`)).String(), f.run(f.send("ok", `{}`)).String()
	for range 2 { // the second time nothing is left to do
		if got := f.ask(`mutation{cancelRun(runID:"`+open+`"){id status output finishedAt}}`, nil); got != `{"data":{"cancelRun":{"id":"`+open+`","status":"CANCELLED","output":"{}","finishedAt":"2026-03-01T12:00:00.123Z"}}}` {
			t.Error(got)
		}
	}
	f.expect(map[string]string{
		`mutation{cancelRun(runID:"` + ended + `"){id}}`:              `{"errors":[{"message":"cannot cancel an ended run","path":["cancelRun"]}],"data":null}`,
		`mutation{cancelRun(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){id}}`: `{"errors":[{"message":"not found","path":["cancelRun"]}],"data":null}`,
		`{run(runID:"` + open + `"){status output endedAt}}`:          `{"data":{"run":{"status":"CANCELLED","output":null,"endedAt":"2026-03-01T12:00:00.123Z"}}}`,
	})
}

func TestRerun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "a")
	step := strings.Repeat("a", 40)
	f.answer = func(c call) response {
		if !strings.Contains(string(c.Body), `"`+step+`"`) {
			return respond(206, `[{"id":"`+step+`","op":"StepRun","displayName":"one","data":1}]`)
		}
		return respond(200, `{}`)
	}
	first := f.run(f.send("a", `{}`)).String()
	for _, ask := range []string{
		`mutation{rerun(runID:"` + first + `")}`,
		`mutation{rerun(runID:"` + first + `",fromStep:{stepID:"` + step + `"})}`,
		`mutation{rerun(runID:"` + first + `",fromStep:{stepID:"one",input:"[{}]"},debugRunID:"01HZX3Z9QG7V5K8M2N4P6R8T0W")}`,
	} {
		next := data[struct{ Rerun string }](f, ask, nil).Rerun
		f.work()
		if got := f.ask(`{run(runID:"`+next+`"){status function{slug}}}`, nil); next == first || !strings.Contains(got, `"slug":"app-a"`) {
			t.Errorf("%s: %s", ask, got)
		}
	}
	f.expect(map[string]string{
		`mutation{rerun(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W")}`:                       `{"errors":[{"message":"sql: no rows in result set","path":["rerun"]}],"data":null}`,
		`mutation{rerun(runID:"` + first + `",fromStep:{stepID:"two"})}`:            `{"errors":[{"message":"error reconstructing input state: rerun step not found","path":["rerun"]}],"data":null}`,
		`mutation{rerun(runID:"` + first + `",fromStep:{stepID:"one",input:"{}"})}`: `{"errors":[{"message":"input is not a valid JSON array","path":["rerun"]}],"data":null}`,
	})
}

// failing stands for what an order is given to.
type failing struct{ err error }

func (f failing) Cancel(context.Context, ulid.ULID) error { return f.err }

func (f failing) Run(context.Context, ulid.ULID, *run.From) (ulid.ULID, error) {
	return ulid.ULID{}, f.err
}

func (f failing) Accept(context.Context, []event.Event, *ids.Seed, int) ([]ulid.ULID, error) {
	return nil, f.err
}

func (f failing) Add(context.Context, string) (function.App, error) { return function.App{}, f.err }

func (f failing) Discovered(string) bool { panic("discovered") }

// What is not the client's fault is told in the log, not to the client; a panic is an error like any other.
func TestFaults_AreLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	secret := errors.New("disk of host db7 is full")
	with := func(edit func(*graphql.Deps)) func(t *testing.T) *fixture {
		return func(t *testing.T) *fixture { t.Helper(); return newFixture(t, graphql.Config{}, edit) }
	}
	for name, c := range map[string]struct {
		fixture func(t *testing.T) *fixture
		query   string
		want    string
	}{
		"invoke": {with(func(d *graphql.Deps) { d.Ingest = failing{secret} }), `mutation{invokeFunction(functionSlug:"a")}`, `"path":["invokeFunction"]}],"data":{"invokeFunction":null}}`},
		"cancel": {with(func(d *graphql.Deps) { d.Runs = failing{secret} }), `mutation{cancelRun(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W"){id}}`, `"path":["cancelRun"]}],"data":null}`},
		"rerun":  {with(func(d *graphql.Deps) { d.Reruns = failing{secret} }), `mutation{rerun(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W")}`, `"path":["rerun"]}],"data":null}`},
		"create": {with(func(d *graphql.Deps) { d.Apps = failing{secret} }), `mutation{createApp(input:{url:"x"}){id}}`, `"path":["createApp"]}],"data":null}`},
		"a read": {with(func(d *graphql.Deps) { d.Catalog = broken{d.Catalog, secret} }), `{apps{id}}`, `"path":["apps"]}],"data":null}`},
		"a panic": {func(t *testing.T) *fixture {
			t.Helper()
			f := newFixture(t, graphql.Config{}, func(d *graphql.Deps) { d.Apps = failing{} })
			f.register("", "a")
			return f
		}, `{apps{id}}`, `"path":["apps"]}],"data":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := c.fixture(t)
			if got := f.ask(c.query, nil); got != `{"errors":[{"message":"internal system error",`+c.want {
				t.Error(got)
			}
			if log := f.log.String(); strings.Count(log, "graphql query failed") != 1 || name != "a panic" && !strings.Contains(log, secret.Error()) || name == "a panic" && !strings.Contains(log, "panic: discovered") {
				t.Errorf("logged %s", log)
			}
		})
	}
}

// broken is a catalog that cannot be read.
type broken struct {
	ports.Catalog
	err error
}

func (b broken) Apps(context.Context) ([]function.App, error) { return nil, b.err }

// Reasons that a run is not started again are the sender's to know.
func TestRerun_SaysWhyNot(t *testing.T) {
	t.Parallel()
	for _, why := range []error{rerun.ErrNoFunction, rerun.ErrNoEvents, start.ErrPaused, start.ErrDebounced, start.ErrSingleton} {
		f := newFixture(t, graphql.Config{}, func(d *graphql.Deps) { d.Reruns = failing{errors.Join(errors.New("rerun x"), why)} })
		if got := f.ask(`mutation{rerun(runID:"01HZX3Z9QG7V5K8M2N4P6R8T0W")}`, nil); !strings.Contains(got, `"message":`+quote(why.Error())) {
			t.Errorf("%v: %s", why, got)
		}
	}
}
