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
