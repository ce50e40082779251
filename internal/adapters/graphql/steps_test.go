package graphql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/domain/event"
)

// tree asks for the steps of a run with all that there is to say of their kinds.
const tree = `{run(runID:%q){status isBatch triggerIDs trace(preview:true){status childrenSpans{name status stepOp stepType stepInfo{__typename ...on SleepStepInfo{sleepUntil} ...on WaitForEventStepInfo{eventName expression timeout foundEventID timedOut} ...on InvokeStepInfo{functionID timeout timedOut} ...on WaitForSignalStepInfo{signal timeout timedOut} ...on RunStepInfo{type}} metadata{scope kind} response{statusCode headers}}}}}`

func TestTrace_KindsOfSteps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "waits", "child")
	id := func(letter string) string { return strings.Repeat(letter, 40) }
	f.answer = func(c call) response {
		if strings.Contains(c.URL, "child") {
			return respond(206, `[{"id":"`+id("9")+`","op":"Sleep","name":"1h","displayName":"nap"}]`)
		}
		return respond(206, `[
			{"id":"`+id("1")+`","op":"Sleep","name":"1h","displayName":"nap"},
			{"id":"`+id("2")+`","op":"WaitForEvent","name":"paid","displayName":"w","opts":{"timeout":"1h","if":"async.data.n == 1"}},
			{"id":"`+id("3")+`","op":"InvokeFunction","displayName":"i","opts":{"function_id":"app-child","payload":{"data":{}},"timeout":"1h"}},
			{"id":"`+id("4")+`","op":"WaitForSignal","displayName":"s","opts":{"signal":"go","timeout":"2026-03-01T13:00:00Z"}}]`)
	}
	run := f.run(f.send("waits", `{}`)).String()
	got := f.ask(fmt.Sprintf(tree, run), nil)
	for _, want := range []string{
		`"name":"nap","status":"WAITING","stepOp":"SLEEP","stepType":"SLEEP","stepInfo":{"__typename":"SleepStepInfo","sleepUntil":"2026-03-01T13:00:00.123Z"}`,
		`"name":"w","status":"WAITING","stepOp":"WAIT_FOR_EVENT","stepType":"WAIT_FOR_EVENT","stepInfo":{"__typename":"WaitForEventStepInfo","eventName":"paid","expression":"async.data.n == 1","timeout":"2026-03-01T13:00:00.123Z","foundEventID":null,"timedOut":null}`,
		`"name":"i","status":"RUNNING","stepOp":"INVOKE","stepType":"INVOKE","stepInfo":{"__typename":"InvokeStepInfo","functionID":"app-child","timeout":"2026-03-01T13:00:00.123Z","timedOut":null}`,
		`"name":"s","status":"WAITING","stepOp":"WAIT_FOR_SIGNAL","stepType":"WAIT_FOR_SIGNAL","stepInfo":{"__typename":"WaitForSignalStepInfo","signal":"go","timeout":"2026-03-01T13:00:00Z","timedOut":null}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
	paid := f.send("paid", `{"n":1}`).String()
	got = f.ask(fmt.Sprintf(tree, run), nil)
	if want := `"foundEventID":"` + paid + `","timedOut":false`; !strings.Contains(got, want) {
		t.Errorf("%s\nis not in %s", want, got)
	}
	items := f.ask(`{functionRun(query:{functionRunId:"`+run+`"}){history{type stepName stepType groupID attempt result{durationMS sizeBytes sdkLanguage} waitForEvent{eventName expression timeout} waitResult{eventID timeout} invokeFunction{functionID correlationID timeout} invokeFunctionResult{runID}}}}`, nil)
	for _, want := range []string{
		`"type":"StepSleeping","stepName":"nap","stepType":"Sleep"`,
		`"type":"StepCompleted","stepName":"w","stepType":"Wait"`, `"waitResult":{"eventID":"` + paid + `","timeout":false}`, `"sdkLanguage":"js"`,
		`"type":"StepInvoking","stepName":"i","stepType":null`, `"correlationID":"` + run + `.` + id("3") + `"`,
	} {
		if !strings.Contains(items, want) {
			t.Errorf("%s\nis not in %s", want, items)
		}
	}
}

func TestRuns_OfBatchesAndSchedules(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register(`,"batchEvents":{"maxSize":2,"timeout":"60s"}`, "many")
	accepted, err := f.deps.Ingest.Accept(t.Context(), []event.Event{
		{Name: "many", Data: []byte(`{"n":1}`), TS: f.clock.Now().UnixMilli()}, {Name: "many", Data: []byte(`{"n":2}`), TS: f.clock.Now().UnixMilli()},
	}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.work()
	f.startHolds()
	f.work()
	run := f.run(accepted[1]).String()
	one, two := accepted[0].String(), accepted[1].String()
	f.expect(map[string]string{
		`{run(runID:"` + run + `"){isBatch eventName triggerIDs status}}`:                          `{"data":{"run":{"isBatch":true,"eventName":null,"triggerIDs":["` + one + `","` + two + `"],"status":"COMPLETED"}}}`,
		`{functionRun(query:{functionRunId:"` + run + `"}){eventID event{id} events{id payload}}}`: `{"data":{"functionRun":{"eventID":"` + one + `","event":{"id":"` + one + `"},"events":[{"id":"` + one + `","payload":"{\"n\":1}"},{"id":"` + two + `","payload":"{\"n\":2}"}]}}}`,
		`{event(query:{eventId:"` + two + `"}){functionRuns{id}}}`:                                 `{"data":{"event":{"functionRuns":[{"id":"` + run + `"}]}}}`,
	})
	got := f.ask(`{run(runID:"`+run+`"){batchCreatedAt} runTrigger(runID:"`+run+`"){isBatch batchID eventName IDs} stream(query:{}){inBatch}}`, nil)
	if !strings.Contains(got, `"batchCreatedAt":"2026-03-01T12:00:00.123Z"`) || !strings.Contains(got, `"isBatch":true,"batchID":"01`) || !strings.Contains(got, `"eventName":"many"`) || !strings.Contains(got, `"inBatch":true`) {
		t.Error(got)
	}
}

func TestRun_Links(t *testing.T) {
	t.Parallel()
	f := newFixture(t, graphql.Config{})
	f.register("", "parent")
	f.apply(`{"v":"0.1","url":"http://localhost:4000/x","sdk":"js:v4.1.0","appName":"other","functions":[` + multi("child", event.DeferredSchedule, "") + `]}`)
	hash := strings.Repeat("d", 40)
	f.answer = func(c call) response {
		if strings.Contains(c.URL, "parent") && !strings.Contains(string(c.Body), hash) {
			return respond(206, `[{"id":"`+hash+`","op":"DeferAdd","displayName":"later","opts":{"fn_slug":"other-child","input":{"n":1}},"userland":{"id":"later"}}]`)
		}
		return respond(200, `{}`)
	}
	parent := f.run(f.send("parent", `{}`)).String()
	f.clock.pass(time.Second)
	f.work()
	got := f.ask(`{run(runID:"`+parent+`"){status defers{hashedDeferID fnSlug status runID function{slug} run{id status deferredFrom{runID function{slug} run{id}} siblingDefers{fnSlug}}}}}`, nil)
	for _, want := range []string{`"hashedDeferID":"` + hash + `","fnSlug":"other-child","status":"SCHEDULED","runID":"01`, `"function":{"slug":"other-child"},"run":{"id":"01`, `"deferredFrom":[{"runID":"` + parent + `","function":{"slug":"app-parent"},"run":{"id":"` + parent + `"}}],"siblingDefers":[]`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
}
