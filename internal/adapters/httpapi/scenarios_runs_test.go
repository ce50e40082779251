package httpapi_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// aRunID is the ID of a durable endpoint's run, which the app chooses.
const aRunID = "01KJMWSZ40000000000000000A"

var outputToken = regexp.MustCompile(`"token":"([^"]+)"`)

func sayEndpoints(s *transcript) {
	begin := func(id, fn, steps string) string {
		return fmt.Sprintf(`{"run_id":%q,"event":{"name":"inngest/http.request","data":{"domain":"http://app.test","method":"POST","path":"/p","fn":%q,"body":"{}"}},"steps":%s}`, id, fn, steps)
	}
	const step, end = `{"op":"StepRun","id":"a","data":{"x":1}}`, `{"op":"RunComplete","id":"e","data":{"status":418,"headers":{"Content-Type":"text/plain","x-mine":"1","Set-Cookie":"a=b","Connection":"x"},"body":"short\n"}}`
	post := func(title, path, body string) string {
		s.tb.Helper()
		return s.say(title, http.MethodPost, path, body)
	}
	token := outputToken.FindStringSubmatch(post("a run begins", "/v1/checkpoint", begin(aRunID, "", "["+step+"]")))[1]
	post("a run begins, once more", "/v1/http/runs", begin(aRunID, "", "["+step+"]"))
	post("a run of another endpoint", "/v1/checkpoint", begin(aRunID, "other", "[]"))
	post("no steps", "/v1/checkpoint", begin("01KJMWSZ40000000000000000B", "", "[]"))
	post("no JSON", "/v1/checkpoint", `{nope`)
	post("no run", "/v1/checkpoint", `{}`)
	post("no address", "/v1/checkpoint", strings.Replace(begin(aRunID, "", "[]"), "http://", "", 1))
	post("a step too large", "/v1/checkpoint", begin(aRunID, "", `[{"op":"StepRun","id":"a","data":"`+strings.Repeat("x", 4<<20)+`"}]`))
	steps := "/v1/checkpoint/" + aRunID + "/steps"
	report := func(id, list string) string { return fmt.Sprintf(`{"run_id":%q,"steps":[%s]}`, id, list) }
	post("steps", steps, report(aRunID, `{"op":"StepRun","id":"b","data":2}`))
	s.say("what was saved", http.MethodGet, "/v0/runs/"+aRunID+"/actions", "")
	post("steps of an unknown run", steps, report(unknownID, step))
	post("a step error without an error", steps, report(aRunID, `{"op":"StepError","id":"c"}`))
	post("the end", steps, report(aRunID, end))
	post("the end, once more", steps, report(aRunID, end))
	post("steps after the end", steps, report(aRunID, step))
	s.say("output", http.MethodGet, "/v1/http/runs/"+aRunID+"/output?token="+token, "")
	s.say("output, by another method", http.MethodPut, "/v1/checkpoint/x/output?token="+token, "")
	s.say("output without a token", http.MethodGet, "/v1/checkpoint/x/output", "")
	s.say("the run", http.MethodGet, "/v1/runs/"+aRunID, "")

	failing := "01KJMWSZ40000000000000000C"
	token = outputToken.FindStringSubmatch(post("an endpoint that waits", "/v1/checkpoint", begin(failing, "", `[{"op":"Sleep","id":"n","name":"0s"}]`)))[1]
	failed := appAnswer(http.StatusBadRequest, `{"name":"Error","message":"endpoint failed"}`)
	failed.Header["X-Inngest-No-Retry"] = "true"
	s.answer = answers(failed)
	s.work()
	s.say("output of a run that failed", http.MethodGet, "/v1/checkpoint/x/output?token="+token, "")
}
