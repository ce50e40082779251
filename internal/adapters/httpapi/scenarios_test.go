package httpapi_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

const (
	asJSON    = "Content-Type: application/json"
	unknownID = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
)

func sayEvents(s *transcript) {
	post := func(title, body string, headers ...string) {
		s.tb.Helper()
		if headers == nil {
			headers = []string{asJSON}
		}
		s.say(title, http.MethodPost, "/e/any-key", body, headers...)
	}
	post("one event", `{"name":"hc/one","data":{"a":1}}`)
	post("two events", `[{"name":"hc/a"},{"name":"hc/b","data":{}}]`)
	post("an id of the sender is not the internal one", `{"name":"hc/one","id":"mine"}`)
	post("object without end", `{"name":"hc/x"`)
	post("no value", `{"name":}`)
	post("not JSON", `hello`)
	post("string", `"hello"`)
	post("null", `null`)
	post("empty array", `[]`)
	post("empty body", ``)
	post("space", "  \n ")
	post("array with null", `[null]`)
	post("array of numbers", `[1,2]`)
	post("second event bad", `[{"name":"hc/ok"},{"name":1}]`)
	post("array without end", `[{"name":"hc/ok"}`)
	post("bytes after an array", `[{"name":"hc/ok"}] trailing`)
	post("two objects", "{\"name\":\"hc/1\"}\n{\"name\":\"hc/2\"}")
	post("no name", `{"data":{}}`)
	post("data no object", `{"name":"hc/x","data":"str"}`)
	post("reserved name", `{"name":"inngest/function.finished"}`)
	post("reserved name in capitals", `{"name":"INNGEST/<b>"}`)
	post("name near the reserved ones", `{"name":"inngest.foo"}`)
	post("reserved name after a good event", `[{"name":"hc/good"},{"name":"inngest/bad"}]`)
	post("time before 1980", `{"name":"hc/x","ts":-5}`)
	post("time after 2100", `{"name":"hc/x","ts":99999999999999}`)
	post("JSON as text", `{"name":"hc/x"}`, "Content-Type: text/plain")
	post("JSON without a type", `{"name":"hc/x"}`, "Accept: */*")
	post("JSON as a form, as curl sends it", `{"name":"hc/x"}`, "Content-Type: application/x-www-form-urlencoded")
	post("form", `name=hc%2Fx&data=1`, "Content-Type: application/x-www-form-urlencoded")
	post("multipart form", "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nhc/x\r\n--B--\r\n", "Content-Type: multipart/form-data; boundary=B")
	post("form of another type", `a=b`, "Content-Type: text/plain")
	post("byte order mark", "\ufeff"+`{"name":"hc/x"}`)
	post("event of exactly 3 MiB", padded(3<<20))
	post("event of one byte more", padded(3<<20+1))
	post("5001 events", many(5001))
	post("body of more than 64 MiB", strings.Repeat(" ", 64<<20+1))
	post("seed", `[{"name":"hc/seed"},{"name":"hc/seed"}]`, asJSON, "x-inngest-event-id-seed: 1700000000000,AAAAAAAAAAAAAA==")
	post("the same seed", `[{"name":"hc/seed"},{"name":"hc/seed"}]`, asJSON, "x-inngest-event-id-seed: 1700000000000,AAAAAAAAAAAAAA==")
	post("no seed", `{"name":"hc/seed"}`, asJSON, "x-inngest-event-id-seed: nonsense")
	post("seed without entropy", `{"name":"hc/seed"}`, asJSON, "x-inngest-event-id-seed: 1700000000000,!!")
}

func sayEventsOfStart(s *transcript) {
	s.say("right key", http.MethodPost, "/e/"+eventKey, `{"name":"hc/one"}`, asJSON)
	s.say("other right key", http.MethodPost, "/e/other-key", `{"name":"hc/one"}`, asJSON)
	s.say("wrong key, the body is not looked at", http.MethodPost, "/e/wrong", `{nope`, asJSON)
	s.say("keys are compared as sent", http.MethodPost, "/e/right%2Dkey", `{"name":"hc/one"}`, asJSON)
	s.say("no signing key", http.MethodPost, "/invoke/app-fn", `{}`, asJSON)
	s.say("no dev server", http.MethodGet, "/dev", "", "Authorization: Bearer "+signingKey)
	s.say("unknown path", http.MethodGet, "/nope", "")
	s.say("sdk of a dev server", http.MethodPost, "/fn/register", registration(""), "Authorization: Bearer "+signingKey,
		"X-Inngest-Expected-Server-Kind: dev")
}

func sayInvoke(s *transcript) {
	post := func(title, path, body string, headers ...string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, "/invoke/"+path, body, append(headers, asJSON)...)
	}
	post("data", "app-fn", `{"data":{"a":1}}`)
	post("no data", "app-fn", `{"a":1}`)
	post("null is an empty event", "app-fn", `null`)
	post("bytes after the event", "app-fn", `{"data":{}} and more`)
	post("empty body", "app-fn", ``)
	post("not JSON", "app-fn", `{nope`)
	post("array", "app-fn", `[]`)
	post("data no object", "app-fn", `{"data":"x"}`)
	post("time before 1980", "app-fn", `{"ts":-1}`)
	post("time of no ULID", "app-fn", `{"ts":281474976710656}`)
	post("too many sessions", "app-fn", `{"meta":{"sessions":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1"}}}`)
	post("escaped slash", "a%2Fb", `{}`)
	post("plus", "a+b", `{}`)
	post("escaped percent sign", "a%25b", `{}`)
	post("seed", "app-fn", `{}`, "x-inngest-event-id-seed: 1700000000001,AAAAAAAAAAAAAA==")
	post("body of more than 3 MiB", "app-fn", padded(3<<20+1))
}

func sayRegister(s *transcript) {
	post := func(title, body string, headers ...string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, "/fn/register", body, append(headers, asJSON)...)
	}
	post("ok", registration(""))
	post("unchanged", registration(""))
	post("changed, with a setting that is not applied", registration(`"singleton":{"mode":"skip"},`))
	post("right kind of server", registration(""), "X-Inngest-Expected-Server-Kind: dev")
	post("wrong kind of server", registration(""), "X-Inngest-Expected-Server-Kind: cloud")
	post("not JSON", `{nope`)
	post("empty body", ``)
	post("array", `[]`)
	post("wrong type", `{"appName":5}`)
	post("no app", strings.Replace(registration(""), `"appName":"app"`, `"appName":""`, 1))
	post("invalid function", registration(`"priority":{"run":"event.data.x =="},`))
	post("blocked SDK", strings.Replace(registration(""), "js:v4.24.0", "js:v3.30.0", 1))
	post("no functions", `{"v":"0.1","url":"http://127.0.0.1:9/x","sdk":"js:v4.24.0","appName":"empty","functions":[]}`)
	post("body of more than 32 MiB", strings.Repeat(" ", 32<<20+1))
	s.say("wrong content type does not matter", http.MethodPost, "/fn/register", registration(""), "Content-Type: text/plain")
	s.say("PUT is the SDK's own method", http.MethodPut, "/fn/register", "")
}

func sayFn(s *transcript) {
	s.send(http.MethodPost, "/fn/register", registration(""))
	const form = "Content-Type: application/x-www-form-urlencoded"
	const fn = "functionId=0962ad32-f7ff-5270-b4fb-29d9bbac93b2"
	for _, name := range []string{"/fn/step-limit", "/fn/state-size-limit"} {
		s.say("limit in the query", http.MethodPost, name+"?"+fn+"&limit=3", "")
		s.say("limit in a form", http.MethodPost, name, fn+"&limit=3", form)
		s.say("limit in a multipart form", http.MethodPost, name+"?"+fn,
			"--B\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\n7\r\n--B--\r\n", "Content-Type: multipart/form-data; boundary=B")
		s.say("no number", http.MethodPost, name+"?"+fn+"&limit=many", "")
		s.say("no limit", http.MethodPost, name+"?"+fn, "")
		s.say("form of more than 64 KiB", http.MethodPost, name, fn+"&limit="+strings.Repeat("1", 64<<10), form)
		s.say("broken form", http.MethodPost, name, "limit=%zz", form)
		s.say("removed", http.MethodDelete, name+"?"+fn, "")
		s.say("removed again", http.MethodDelete, name+"?"+fn, "")
		s.say("no function", http.MethodDelete, name+"?functionId=nope", "")
	}
	s.say("unknown app", http.MethodDelete, "/fn/remove?url=http://nowhere/", "")
	s.say("no app named", http.MethodDelete, "/fn/remove", "")
	s.say("removed", http.MethodDelete, "/fn/remove?url=http%3A%2F%2Flocalhost%3A9%2Fapi%2Finngest", "")
	s.say("removed again", http.MethodDelete, "/fn/remove?url=http%3A%2F%2Flocalhost%3A9%2Fapi%2Finngest", "")
	s.say("its function is gone", http.MethodGet, "/dev", "")
}

func devOptions() httpapi.Config {
	config := devConfig
	config.StartOptions = httpapi.StartOptions{
		URLs: []string{"http://localhost:3000/api/inngest"}, Autodiscover: true, Poll: true, PollInterval: 5, Tick: 150000000,
		QueueWorkers: 100, SQLiteDir: ".inngest", FeatureFlags: "run-details-v4=false, mine=1 ,broken,other=maybe",
	}
	return config
}

func sayDev(s *transcript) {
	s.say("no functions", http.MethodGet, "/dev", "")
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.say("a function", http.MethodGet, "/dev", "")
}

func sayCORS(s *transcript) {
	const origin, post = "Origin: https://example.com", "Access-Control-Request-Method: POST"
	s.say("preflight", http.MethodOptions, "/e/k", "", origin, post, "Access-Control-Request-Headers: content-type,x-inngest-sdk")
	s.say("preflight of any path", http.MethodOptions, "/nope", "", origin, "Access-Control-Request-Method: delete")
	s.say("preflight PATCH", http.MethodOptions, "/e/k", "", origin, "Access-Control-Request-Method: PATCH")
	s.say("preflight HEAD", http.MethodOptions, "/e/k", "", origin, "Access-Control-Request-Method: HEAD")
	s.say("preflight without an origin", http.MethodOptions, "/e/k", "", post)
	s.say("OPTIONS that is no preflight", http.MethodOptions, "/e/k", "", origin)
	s.say("request with an origin", http.MethodGet, "/health", "", origin)
	s.say("request without", http.MethodGet, "/health", "")
	s.say("unknown path with an origin", http.MethodGet, "/nope", "", origin)
}

func sayRouting(s *transcript) {
	for _, path := range []string{"/", "/nope", "/e", "/e/", "/e/k/", "/e/k/x", "/invoke/", "/invoke/a/b", "/v1/", "/v1/nope", "/v0/nope",
		"/v1/runs/", "/v1/runs/" + unknownID + "/", "/v1/runs/a/b", "/v1/events/a/runs/b", "//health", "/health/", "/HEALTH"} {
		s.say("unknown", http.MethodPost, path, "")
	}
	s.say("event key with an escaped slash", http.MethodPost, "/e/a%2Fb", `{"name":"hc/x"}`)
	s.say("wrong method", http.MethodGet, "/e/k", "")
	s.say("wrong method", http.MethodHead, "/e/k", "")
	s.say("wrong method", http.MethodPost, "/health", "")
	s.say("wrong method", http.MethodHead, "/health", "")
	s.say("wrong method", http.MethodOptions, "/health", "")
	s.say("wrong method", http.MethodHead, "/dev", "")
	s.say("wrong method", http.MethodGet, "/invoke/app-fn", "")
	s.say("wrong method", http.MethodGet, "/fn/step-limit", "")
	s.say("wrong method", http.MethodPut, "/v1/runs/"+unknownID, "")
	s.say("wrong method", http.MethodHead, "/v1/runs/"+unknownID, "")
	s.say("wrong method", http.MethodPost, "/v1/events/"+unknownID+"/runs", "")
	s.say("telemetry", http.MethodPost, "/v0/telemetry", `{"eventName":"x"}`)
}

func padded(size int) string {
	const start, end = `{"name":"hc/big","data":{"p":"`, `"}}`
	return start + strings.Repeat("x", size-len(start)-len(end)) + end
}

func many(count int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"name":"hc/m"},`, count), ",") + "]"
}

func sayV1Events(s *transcript) {
	get := func(title, path string) {
		s.tb.Helper()
		s.say(title, http.MethodGet, path, "")
	}
	s.send(http.MethodPost, "/e/k", `{"name":"app/old"}`)
	s.clock.advance(time.Hour + time.Second)
	s.send(http.MethodPost, "/e/k", `{"name":"app/full","id":"mine","data":{"html":"<&>","big":9007199254740993},"user":{"u":1},"v":"2","ts":1700000000000}`)
	s.clock.advance(time.Second)
	s.send(http.MethodPost, "/e/k", `[{"name":"app/a"},{"name":"app/b"}]`)
	s.send(http.MethodPost, "/invoke/nobody", `{}`)
	get("last hour, newest first, none of the server's own", "/v1/events")
	get("by name", "/v1/events?name=app/a")
	get("no such name", "/v1/events?name=app")
	get("limit", "/v1/events?limit=1")
	get("before a cursor", "/v1/events?cursor=01KJMQR06B0000000000000003")
	get("received after", "/v1/events?received_after=2026-03-01T00:00:00Z&name=app/old")
	get("received before", "/v1/events?received_before=2026-03-01T12:30:00Z&received_after=2026-02-28")
	get("received before, and that alone", "/v1/events?received_before=2026-03-01T12:30:00Z")
	for _, form := range []string{
		"2026-03-01T12:30:00Z", "2026-03-01T13:30:00.5%2B01:00", "2026-03-01T12:30:00", "Sun, 01 Mar 2026 12:30:00 UTC", "01 Mar 26 12:30 UTC", "01 Mar 26 12:30 %2B0000",
		"Sunday, 01-Mar-26 12:30:00 UTC", "Sun Mar 01 12:30:00 %2B0000 2026", "Sun Mar  1 12:30:00 UTC 2026", "Sun Mar  1 12:30:00 2026",
		"Mar  1 12:30:00", "Mar  1 12:30:00.000", "2026-03-01",
	} {
		get("received after a date in the form "+form, "/v1/events?limit=1&received_after="+strings.ReplaceAll(form, " ", "%20"))
	}
	get("cursor that is none", "/v1/events?cursor=xx")
	get("date that is none", "/v1/events?received_after=xx")
	get("number as a date", "/v1/events?received_before=1700000000")
	get("both dates wrong", "/v1/events?received_before=x&received_after=y")
	get("one event", "/v1/events/01KJMQQZ730000000000000002")
	get("unknown event", "/v1/events/"+unknownID)
	get("id that is none", "/v1/events/nope")
	get("runs of an unknown event", "/v1/events/"+unknownID+"/runs")
	get("runs of an id that is none", "/v1/events/nope/runs")
}

func sayV1Runs(s *transcript) {
	get := func(title, path string) {
		s.tb.Helper()
		s.say(title, http.MethodGet, path, "")
	}
	start := func(answer string, status int) string {
		s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
		s.answer = answers(appAnswer(status, answer))
		s.route()
		runs := s.backend.Runs()
		return runs[len(runs)-1].RunID.String()
	}
	s.send(http.MethodPost, "/fn/register", registration(""))
	run := start(`[{"op":"Sleep","id":"nap","name":"1h"}]`, http.StatusPartialContent)
	get("not started", "/v1/runs/"+run)
	s.work()
	get("sleeping", "/v1/runs/"+run)
	s.say("cancelled", http.MethodDelete, "/v1/runs/"+run, "")
	s.say("cancelled again", http.MethodDelete, "/v1/runs/"+run, "")
	get("after the cancel", "/v1/runs/"+run)
	run = start(`{"done":true}`, http.StatusOK)
	s.work()
	get("completed", "/v1/runs/"+run)
	s.say("cancelled when completed", http.MethodDelete, "/v1/runs/"+run, "")
	run = start("", http.StatusOK)
	s.work()
	get("completed without output", "/v1/runs/"+run)
	get("runs of an event", "/v1/events/"+s.backend.Runs()[0].EventID.String()+"/runs")
	get("unknown", "/v1/runs/"+unknownID)
	get("id that is none", "/v1/runs/nope")
	s.say("unknown cancelled", http.MethodDelete, "/v1/runs/"+unknownID, "")
	s.say("id that is none cancelled", http.MethodDelete, "/v1/runs/nope", "")
}

func sayV0(s *transcript) {
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.send(http.MethodPost, "/e/k", `{"name":"app/event","data":{"n":1}}`)
	s.answer = answers(
		appAnswer(http.StatusPartialContent, `[{"op":"StepRun","id":"a","data":{"x":1}}]`),
		appAnswer(http.StatusPartialContent, `[{"op":"StepRun","id":"q\"uo\u0000te","data":"2"}]`),
		appAnswer(http.StatusPartialContent, `[{"op":"Sleep","id":"nap","name":"1h"}]`),
	)
	s.route()
	run := "/v0/runs/" + s.backend.Runs()[0].RunID.String()
	s.say("no steps yet", http.MethodGet, run+"/actions", "")
	s.work()
	s.say("two steps", http.MethodGet, run+"/actions", "")
	s.say("events", http.MethodGet, run+"/batch", "")
	s.say("cancelled", http.MethodDelete, run, "")
	s.say("cancelled again", http.MethodDelete, run, "")
	s.say("steps of an ended run", http.MethodGet, run+"/actions", "")
	s.say("id that is none", http.MethodGet, "/v0/runs/nope/actions", "")
	s.say("id that is none", http.MethodGet, "/v0/runs/nope/batch", "")
	s.say("unknown", http.MethodGet, "/v0/runs/"+unknownID+"/batch", "")
	s.say("unknown cancelled", http.MethodDelete, "/v0/runs/"+unknownID, "")
	s.say("id that is none cancelled", http.MethodDelete, "/v0/runs/nope", "")
}

func sayWaits(s *transcript) {
	post := func(title, path, body string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, path, body)
	}
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	s.answer = answers(
		appAnswer(http.StatusPartialContent, `[{"op":"WaitForSignal","id":"w","opts":{"signal":"go","timeout":"1h"}}]`),
		appAnswer(http.StatusPartialContent, `[{"op":"Sleep","id":"nap","name":"1h"}]`),
	)
	s.route()
	s.work()
	run := s.backend.Runs()[0].RunID.String()
	post("signal", "/v1/signals", `{"signal":"go","data":{"x":[1,2]}}`)
	post("signal again", "/v1/signals", `{"signal":"go","data":1}`)
	post("signal that is no JSON", "/v1/signals", `{`)
	post("signal without a name", "/v1/signals", `{"data":1}`)
	post("signal that is too large", "/v1/signals", `{"signal":"go","data":"`+strings.Repeat("x", 4<<20)+`"}`)
	s.work()

	async := "/v1/checkpoint/" + run + "/async"
	body := func(steps string) string {
		return `{"run_id":"` + run + `","fn_id":"` + unknownFn + `","steps":` + steps + `}`
	}
	post("checkpoint", async, body(`[{"op":"StepRun","id":"a","data":{"x":1}}]`))
	post("checkpoint by the old path", "/v1/http/runs/"+run+"/async", body(`[{"op":"StepRun","id":"b","data":2}]`))
	post("checkpoint of nothing", async, body(`[]`))
	post("checkpoint of a sleep", async, body(`[{"op":"Sleep","id":"c","name":"1s"}]`))
	post("checkpoint of an end", async, body(`[{"op":"RunComplete","id":"c"}]`))
	post("checkpoint of a large step", async, body(`[{"op":"StepRun","id":"c","data":"`+strings.Repeat("x", 4<<20)+`"}]`))
	post("checkpoint of a call that was made again", async, `{"run_id":"`+run+`","qi_id":"`+sdk.QueueItemID("gone")+`","generation_id":7,"steps":[]}`)
	post("checkpoint that is no JSON", async, `{`)
	post("checkpoint of an unknown run", async, `{"run_id":"`+unknownID+`","steps":[{"op":"StepRun","id":"a"}]}`)
	s.say("what was saved", http.MethodGet, "/v0/runs/"+run+"/actions", "")
}

const unknownFn = "881ded5d-7c0a-50d6-8a8d-451a82d0ca42"

func sayMetadata(s *transcript) {
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
	s.answer = answers(
		appAnswer(http.StatusPartialContent, `[{"op":"StepRun","id":"a","data":1,"metadata":[`+
			`{"scope":"step","kind":"userland.default","op":"set","values":{"from":"op"}},{"scope":"run","kind":"inngest.usage","op":"set","values":{}}]}]`),
		appAnswer(http.StatusPartialContent, `[{"op":"StepError","id":"b","error":{"name":"Error","message":"m"},"metadata":[`+
			`{"scope":"step_attempt","kind":"userland.default","op":"merge","values":{"attempt":"first"}}]}]`),
		appAnswer(http.StatusOK, `"done"`),
	)
	s.route()
	path := "/v1/runs/" + s.backend.Runs()[0].RunID.String() + "/metadata"
	post := func(title, body string) {
		s.tb.Helper()
		s.say(title, http.MethodPost, path, body)
	}
	read := func(title string) {
		s.tb.Helper()
		s.say(title, http.MethodGet, path, "")
	}
	read("nothing yet")
	post("of the run", `{"target":{"run_id":"ignored"},"metadata":[{"kind":"userland.default","op":"merge","values":{"big":9007199254740993,"a":[1,"<&>"]}}]}`)
	s.clock.advance(time.Second)
	post("more of the run", `{"metadata":[{"kind":"userland.default","op":"add","values":{"big":2,"n":1}},{"kind":"userland.default","op":"delete","values":{"a":null}}]}`)
	post("of a step", `{"target":{"step_id":"step-1","step_index":1},"metadata":[{"kind":"inngest.score","op":"set","values":{"quality":{"value":0.5}}}]}`)
	post("of an attempt", `{"target":{"step_id":"step-1","step_attempt":0},"metadata":[{"kind":"userland.default","op":"set","values":{"x":1}}]}`)
	post("of a span", `{"target":{"step_id":"step-1","step_attempt":0,"span_id":"00f067aa0ba902b7"},"metadata":[{"kind":"userland.default","op":"set","values":{"x":2}}]}`)
	post("nothing", `{"target":{},"metadata":[]}`)
	read("what was sent")
	s.work()
	read("with what came with steps")
	post("not JSON", `{nope`)
	post("an op that there is not", `{"metadata":[{"kind":"userland.a","op":"replace","values":{}}]}`)
	post("an attempt of no step", `{"target":{"step_attempt":1},"metadata":[]}`)
	post("a kind that is not to be written", `{"metadata":[{"kind":"inngest.timing","op":"set","values":{}}]}`)
	post("a score that is none", `{"metadata":[{"kind":"userland.a"},{"kind":"inngest.score","op":"set","values":{"it's":{"value":1}}}]}`)
	post("more than an update may have", `{"metadata":[{"kind":"userland.a","op":"set","values":{"a":"`+strings.Repeat("x", 64<<10)+`"}}]}`)
	post("more than a run may have", `{"metadata":[`+strings.TrimSuffix(strings.Repeat(`{"kind":"userland.a","op":"set","values":{"a":"`+strings.Repeat("x", 60<<10)+`"}},`, 18), ",")+`]}`)
	post("a body of more than 2 MiB", strings.Repeat(" ", 2<<20+1))
	s.clock.advance(time.Hour)
	s.work()
	post("after the end", `{"metadata":[{"kind":"userland.default","op":"set","values":{"ended":true}}]}`)
	read("after the end")
	s.say("of an unknown run", http.MethodPost, "/v1/runs/"+unknownID+"/metadata", `{"target":{},"metadata":[]}`)
	s.say("of an unknown run", http.MethodGet, "/v1/runs/"+unknownID+"/metadata", "")
	s.say("of an id that is none", http.MethodPost, "/v1/runs/nope/metadata", `{}`)
	s.say("of an id that is none", http.MethodGet, "/v1/runs/nope/metadata", "")
}

func sayNoMetadata(s *transcript) {
	s.say("write", http.MethodPost, "/v1/runs/nope/metadata", `{nope`)
	s.say("read", http.MethodGet, "/v1/runs/nope/metadata", "")
}
