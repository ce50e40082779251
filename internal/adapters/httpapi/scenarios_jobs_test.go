package httpapi_test

import (
	"net/http"
	"time"
)

func sayJobs(s *transcript) {
	get := func(title, path string) { s.tb.Helper(); s.say(title, http.MethodGet, path, "") }
	start := func(more string) string {
		s.tb.Helper()
		s.send(http.MethodPost, "/fn/register", registration(more))
		s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
		s.route()
		runs := s.backend.Runs()
		return "/v1/runs/" + runs[len(runs)-1].RunID.String()
	}
	run := start("")
	get("of a run that has not started", run+"/jobs")
	s.answer = answers(
		appAnswer(http.StatusPartialContent, `[{"op":"Sleep","id":"nap","name":"1h"},{"op":"Sleep","id":"doze","name":"30m"}]`),
		appAnswer(http.StatusInternalServerError, `{"name":"Error","message":"later"}`),
	)
	s.work()
	get("of a run that sleeps twice", run+"/jobs")
	s.clock.advance(30 * time.Minute)
	s.work()
	get("of a run that has slept once", run+"/jobs")
	s.clock.advance(30 * time.Minute)
	s.work()
	get("of a run that fails and is tried again", run+"/jobs")
	s.send(http.MethodDelete, run, "")
	get("of a run that has ended", run+"/jobs")

	limited := `"concurrency":{"limit":1},`
	first := start(limited)
	lease, _ := s.backend.TryLease()
	get("of a run that is called", first+"/jobs")
	second := start(limited)
	get("of a run that waits for room", second+"/jobs")
	if err := s.backend.Queue().Park(s.tb.Context(), lease, "why not"); err != nil {
		s.tb.Fatal(err)
	}
	get("of a run whose job is parked", first+"/jobs")

	get("of an unknown run", "/v1/runs/"+unknownID+"/jobs")
	get("of no run", "/v1/runs/nope/jobs")
}

func sayTest(s *transcript) {
	const size, fn = "/test/queue/function-queue-size", "79813634-2759-5dbb-838f-b956de7e12f5"
	get := func(title, path string) { s.tb.Helper(); s.say(title, http.MethodGet, path, "") }
	post := func(title, path string) { s.tb.Helper(); s.say(title, http.MethodPost, path, "") }
	s.send(http.MethodPost, "/fn/register", registration(""))
	start := func() string {
		s.send(http.MethodPost, "/e/k", `{"name":"app/event"}`)
		s.route()
		runs := s.backend.Runs()
		return runs[len(runs)-1].RunID.String()
	}
	run := start()
	start()
	get("is it there", "/test/")
	get("jobs of a function", size+"?accountId="+unknownUUID+"&fnId="+fn)
	get("jobs of another function", size+"?accountId="+unknownUUID+"&fnId="+unknownUUID)
	get("jobs of no account", size+"?accountId=x&fnId="+fn)
	get("jobs of no function", size+"?accountId="+unknownUUID)
	post("a run is cancelled", "/test/function/runs/cancel?accountId="+unknownUUID+"&fnId="+fn+"&runId="+run)
	get("the run", "/v1/runs/"+run)
	get("jobs left", size+"?accountId="+unknownUUID+"&fnId="+fn)
	post("a run is cancelled again", "/test/function/runs/cancel?accountId="+unknownUUID+"&fnId="+fn+"&runId="+run)
	post("no run is cancelled", "/test/function/runs/cancel?accountId="+unknownUUID+"&fnId="+fn+"&runId=x")
	post("a run of an unknown function", "/test/function/runs/cancel?accountId="+unknownUUID+"&fnId="+unknownUUID+"&runId="+run)
	post("a function is paused", "/test/function/pause?fnId="+fn)
	post("an unknown function is paused", "/test/function/pause?fnId="+unknownUUID)
	post("no function is paused", "/test/function/pause")
	post("reset", "/test/reset")
	get("jobs after the reset", size+"?accountId="+unknownUUID+"&fnId="+fn)
	get("runs after the reset", "/v1/runs/"+s.backend.Runs()[1].RunID.String())
}

const unknownUUID = "00000000-0000-4000-a000-000000000000"

func sayApps(s *transcript) {
	get := func(title, path string) { s.tb.Helper(); s.say(title, http.MethodGet, path, "") }
	s.send(http.MethodPost, "/fn/register", registration(""))
	s.clock.advance(time.Hour)
	s.send(http.MethodPost, "/fn/register", registration(`"idempotency":"event.id",`))
	get("functions of an app", "/v1/apps/app/functions")
	get("functions of an unknown app", "/v1/apps/nope/functions")
	get("functions of an app with a strange name", "/v1/apps/a%2Fb/functions")
	s.send(http.MethodDelete, "/fn/remove?url=http://localhost:9/api/inngest", "")
	get("functions of an app that is gone", "/v1/apps/app/functions")
	get("metrics of the cloud", "/v1/prom/x")
}
