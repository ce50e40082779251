package replay

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// difference is a way in which the server differs from the reference on purpose. Its texts may hold * for anything.
type difference struct {
	recording string // recording, or "http-cases"
	where     string // message or case
	field     string
	want, got string // anything when empty
	reason    string
	// timing is true when the difference shows only at some timings, so that its absence is no failure.
	timing bool
}

// differences is the whole list. Each row has its counterpart in docs/compatibility.md.
var differences = slices.Concat(differencesOfCases, differencesOfRuns, legacyDifferences, spanDifferences, []difference{
	{recording: "*", where: "call *", field: "header Connection", want: "close", reason: keepAlive},
	{recording: "*", where: "provider *", field: "header Connection", want: "close", reason: keepAlive},
	{recording: "*", where: "call *", field: "body.* number text", reason: exactNumbers},
	{recording: "*", where: "call *", field: "body.event*._inngest.isr", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "call *", field: "body.event*._inngest.tc", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "call *", field: "body.event*._inngest.parent_defer_span", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "read *", field: "body.data.data._inngest.isr", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "read *", field: "body.data.data._inngest.tc", got: "(absent)", reason: noCarriers},
	{recording: "36-defer.*", where: "read *", field: "body.data.data._inngest.parent_defer_span", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "*", field: "header Content-Type", want: "text/plain; charset=utf-8", got: "application/json", reason: jsonType},
	{recording: "*", where: "call * nested *", field: "header Content-Type", want: "application/json", reason: jsonType},
	{recording: "24-cancel-rest.*", where: "DELETE *", field: "header Content-Type", want: "application/json", reason: jsonType},
	{recording: "*", where: "*", field: "header Vary", want: "Origin | Origin", got: "Origin", reason: oneVary},
	{recording: "*", where: "read *", field: "header Cache-Control", reason: noCache},
	{recording: "*", where: "read *", field: "body.metadata.cached_until", reason: noCache},
	{recording: "*.ts4", where: "read *", field: "body.*output", want: `""`, reason: completeOutput},
	{recording: "28-checkpoint-buffered.ts3", where: "read *", field: "body.*output", want: `""`, reason: completeOutput},
	{recording: "29-checkpoint-maxruntime.ts3", where: "read *", field: "body.*output", want: `""`, reason: completeOutput},
	{recording: "30-checkpoint-errors.ts3", where: "read *", field: "body.*output", want: `""`, reason: completeOutput},
	{recording: "22-batch.*", where: "read *", field: "body.data*.batch_id", want: "(absent)", reason: batchTold},
	{recording: "25-ai-infer.*", where: "provider *", field: "body text", reason: exactBody},
	{recording: "12-parallel-nested.ts4", where: "call *", field: "body.ctx.disable_immediate_execution", reason: planFlag},
	{recording: "12-parallel-nested.go", where: "call *", field: "body.ctx.disable_immediate_execution", reason: planFlag},
	{recording: "12-parallel-nested.ts4nc", where: "call *", field: "body.ctx.disable_immediate_execution", reason: planFlag},
	{recording: "11-parallel-three.ts3", where: "call *", field: "call", reason: tooLate, timing: true},
	{recording: "11-parallel-three.ts3", where: "read *", field: "body.data", reason: listedOnce},
	{recording: "31-large-state.go", where: "call 5", field: "body.*use_api", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "call 5", field: "body.steps.*", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "read *", field: "body.data*", reason: goNotTrimmed},
	{recording: "35-durable-endpoint.go", where: "call *", field: "request line", reason: requestRepeated},
	{recording: "35-durable-endpoint.go", where: "call *", field: "body", want: "", got: `{"hi":2}`, reason: requestRepeated},
	{recording: "35-durable-endpoint.go", where: "call *", field: "header Content-Length", want: "0", got: "8", reason: requestRepeated},
	{recording: "35-durable-endpoint.*", where: "call *", field: "job", reason: jobsByRun},
	{recording: "35-durable-endpoint.ts4", where: "read * /v1/runs/ID/jobs", field: "body.data[0].*", reason: ownItems},
	{recording: "35-durable-endpoint.*", where: "output *", field: "header Content-Security-Policy", reason: sandboxed},
	{recording: "35-durable-endpoint.*", where: "read *", field: "body.*output", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "refused start *", field: "status", want: "400", got: "200", reason: textBodies},
	{recording: "35-durable-endpoint.ts4", where: "refused start *", field: "body.*", reason: textBodies},
	{recording: "35-durable-endpoint.ts4", where: "call 31", field: "body", got: "abcd", reason: textBodies},
	{recording: "35-durable-endpoint.ts4", where: "call 31", field: "header Content-Length", want: "3", got: "4", reason: textBodies},
	{recording: "35-durable-endpoint.ts4", where: "call 31", field: "call", got: "(made again)", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "output 32", field: "status", want: "200", got: "500", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "read *", field: "body.*status", want: `"Completed"`, got: `"Failed"`, reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "read *", field: "body.*status", want: `"Failed"`, got: `"Running"`, reason: notFailedYet},
	{recording: "35-durable-endpoint.ts4", where: "POST *", field: "header Content-Type", want: "application/json", reason: jsonType},
	{recording: "*.ts4", where: "graphql *run trace preview=true", field: "trace/end *.metadata.request inngest.*timing", want: `(absent)`, reason: callsTold},
	{recording: "29-checkpoint-maxruntime.ts3", where: "graphql *run trace preview=true", field: "trace/end *.metadata.request inngest.*timing", want: `(absent)`, reason: callsTold},
	{recording: "06-step-error-caught.*", where: "graphql *run trace preview=true", field: "trace/step fails .metadata.request inngest.*timing", want: `(absent)`, reason: callsTold},
	{recording: "09-non-retriable.*", where: "graphql *run trace preview=true", field: "trace/step no retry .metadata.request inngest.*timing", want: `(absent)`, reason: callsTold},
	{recording: "12-parallel-nested.*", where: "graphql *run trace preview=true", field: "trace/step * nap .metadata.request inngest.*timing", reason: callsTold, timing: true},
	{recording: "30-checkpoint-errors.*", where: "graphql *run trace preview=true", field: "trace/step *.metadata.request inngest.*timing", want: `(absent)`, reason: callsTold},
	{recording: "30-checkpoint-errors.*", where: "graphql *run trace preview=true", field: "trace/end Finalization /span Attempt *.metadata.request inngest.*timing", got: `(absent)`, reason: callsTold},
	{recording: "35-durable-endpoint.*", where: "graphql *run trace preview=true", field: "trace/*.metadata.request inngest.http.timing", want: `(absent)`, reason: endpointTimes},
	{recording: "35-durable-endpoint.*", where: "graphql *run trace preview=true", field: "trace/*.metadata.request inngest.timing.network_total_ms", want: `(absent)`, reason: endpointTimes},
	{recording: "35-durable-endpoint.ts4", where: "graphql *run trace preview=true", field: "trace/end Finalization .metadata.request inngest.timing", got: `(absent)`, reason: triedAgain},
	{recording: "28-checkpoint-buffered.*", where: "graphql *run trace preview=true", field: "trace/step s* .metadata.request inngest.*timing", reason: savedAtOnce},
	{recording: "36-defer.*", where: "graphql *run trace *", field: "body.data.run.isDeferred", want: `false`, got: `true`, reason: namesTold},
	{recording: "http-cases", where: "event-api: array, second element bad", field: "body.ids[0]", reason: allOrNone},
	{recording: "http-cases", where: "event-api: array unterminated", field: "*", reason: noEnd},
	{recording: "http-cases", where: "event-api: reserved in batch after a good one", field: "body.ids[0]", reason: allOrNone},
	{recording: "http-cases", where: "event-api: 5001 events", field: "body*", reason: allOrNone},
	{recording: "http-cases", where: "other: metrics", field: "body", reason: moreMetrics},
	{recording: "http-cases", where: "v1: events list bad limit", field: "body.data[*", reason: allOrNone},
	{recording: "http-cases", where: "event-api: trailing slash", field: "*", reason: otherPath},
	{recording: "http-cases", where: "register: trailing slash", field: "*", reason: otherPath},
	{recording: "http-cases", where: "other: health trailing slash", field: "*", reason: otherPath},
	{recording: "http-cases", where: "event-api: no key*", field: "*", reason: noDashboard},
	{recording: "http-cases", where: "other: unknown route POST", field: "*", reason: noDashboard},
	{recording: "http-cases", where: "other: dev", field: "body.startOpts.*", reason: noSecrets},
	{recording: "http-cases", where: "other: dev", field: "body.functions. ", reason: atNowhere},
	{recording: "http-cases", where: "other: dev", field: "body.functions.hc-app-11-f1.*", reason: laterWins},
	{recording: "http-cases", where: "register: duplicate function ids", field: "*", reason: laterWins},
	{recording: "http-cases", where: "register: *", field: "body.message", reason: notUsable},
	{recording: "http-cases", where: "v1: signal no id", field: "*", reason: signalName},
	{recording: "http-cases", where: "v1: metadata unknown run", field: "*", reason: noSuchRun},
	{recording: "http-cases", where: "v1: metadata bad kind", field: "*", reason: noSuchRun},
	{recording: "http-cases", where: "v1: cancellations list", field: "status", want: "500", got: "200", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations list", field: "header Content-Type", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations list", field: "body", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations create", field: "status", want: "500", got: "200", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations create", field: "body", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations delete", field: "status", want: "500", got: "404", reason: bulkCancel},
	{recording: "http-cases", where: "v1: cancellations delete", field: "body", reason: bulkCancel},
	{recording: "http-cases", where: "v1: checkpoint async bad run", field: "*", reason: notSaved},
	{recording: "http-cases", where: "v1: checkpoint steps unknown run", field: "*", reason: notSaved},
	{recording: "http-cases", where: "v1: checkpoint empty", field: "*", reason: atNowhere},
	{recording: "http-cases", where: "v1: * bad *", field: "status", reason: realStatus},
	{recording: "http-cases", where: "v1: * unknown*", field: "status", reason: realStatus},
	{recording: "http-cases", where: "v1: prom", field: "status", reason: realStatus},
	{recording: "http-cases", where: "v1: run jobs unknown", field: "body.status", reason: unknownRun},
	{recording: "http-cases", where: "v1: run unknown*", field: "body.status", reason: unknownRun},
	{recording: "http-cases", where: "v1: event runs unknown", field: "header Cache-Control", reason: noCache},
	{recording: "http-cases", where: "v1: event runs unknown", field: "body.metadata.cached_until", reason: noCache},
})

const (
	noCarriers   = "events that start a run for another run do not carry its trace"
	keepAlive    = "calls use keep-alive connections"
	exactNumbers = "numbers keep their text: integers beyond 2^53 stay exact, 1.0 stays 1.0"
	jsonType     = "JSON answers say that they are JSON, empty ones have no type; the reference lets its library guess"
	noCache      = "GET answers under /v1 are not cached, so nothing is said of a cache"
	notUsable    = "a registration that is accepted names the settings that cannot be used; the reference is silent about them"
	batchTold    = "a run of a batch says which batch it is of, as the API is documented"
	exactBody    = "a provider gets the step's own text; the reference sorts its members"
	signalName   = "a signal without a name is the sender's mistake, 400 and not 500"
	ownItems     = "jobs of a run are told with what this server knows of them; IDs of an endpoint's jobs are made of its run, and times are those of this run"
	noSuchRun    = "metadata of a run that is not there is refused; the reference goes looking for an old run and gives no answer for a minute"
	bulkCancel   = "bulk cancellation is served; the reference has no store for it and answers 500"
	notSaved     = "a checkpoint of a run that is not there is refused, whatever stands in its path; the reference answers 200 and saves nothing"
	planFlag     = "the planning flag is set for every parallel group; the reference forgets it after a discovery made by a sleep"
	listedOnce   = "a run is listed once; the reference lists it as often as an answer finished it"
	tooLate      = "a discovery that comes up after the run has ended is not made"
	goNotTrimmed = "calls to Go apps are never trimmed, since that SDK cannot ask for the rest; the reference's run hangs"
	moreMetrics  = "metrics of the server's own beside the reference's depth, which here counts what is in the queue"
	allOrNone    = "the events of a request are accepted all or none"
	otherPath    = "a path with a slash at its end is another path, not found; a redirect would make a GET of a POST"
	laterWins    = "two functions with one id: the later one wins; the reference fails at the first sync and accepts the second"
	noDashboard  = "the dashboard answers unknown paths; without it they are not found"
	oneVary      = "Vary is sent once, not once per layer"
	noSecrets    = "/dev tells nothing of databases and of gateways that are not served"
	unknownRun   = "an unknown run is not found, not an error of the server"
	noEnd        = "an array without its end is refused, since the rest is missing"
	realStatus   = "errors of GET under /v1 have their real status"

	completeOutput = "the output of a run that a RunComplete op ended is shown; the reference shows an empty text"
	namesTold      = "eventName and isDeferred of a single run are told"
	ownAI          = "hasAI is true for runs that asked a model, not for outputs that look like an answer of one"
	rootNamed      = "the span of a run is named Run, its end Finalization, whatever its last op was"
	appTold        = "each span tells its app"
	responses      = "a response is told at the step that came of it, also of calls that only planned; none where there was none"
	wholeStep      = "a step that was tried again is told from its first attempt to its last"
	sameStep       = "a step that failed for good is the same kind of step as before"
	waitsEnd       = "what a run waited for when it ended is CANCELLED"
	order          = "spans that began together are in the order in which they happened"
	endpointTimes  = "calls of durable endpoints are measured as all others are"
	callsTold      = "where the time of a call went is told at what it began with or came to; the reference leaves it out, or tells it at another step"
	savedAtOnce    = "steps that are saved long after the app ran them began together"

	requestRepeated = "a durable endpoint is called with its client's query and body, whatever the event's name"
	textBodies      = "bodies that the TypeScript SDK writes as text are text; the reference refuses them, or takes them for base64"
	triedAgain      = "a call that something in front of the app answered with an error is tried again, and then fails the run"
	jobsByRun       = "jobs of a durable endpoint's run are named after the run: a request that is repeated has another event each time"
	sandboxed       = "a page of an app's has no rights of this server's address"
	plainOutput     = "the output of a durable endpoint's run is the body of its answer, not the SDK's answer in base64"
	notFailedYet    = "a run that is tried again is Running in the list of its event's runs, too; the reference says Failed"
)

// otherAnswers are answers of the app that cannot be the recorded ones, since the server asked something else.
var otherAnswers = map[string]answer{
	"31-large-state.go call 5": {status: 200, body: `"done"`},
}

var hits = struct {
	sync.Mutex
	rows map[int]bool
}{rows: map[int]bool{}}

// excused is the row of the table that a mismatch falls under, -1 for none.
func excused(recording string, found mismatch) int {
	for i, row := range differences {
		if glob(row.recording, recording) && glob(row.where, found.where) && glob(row.field, found.field) &&
			(row.want == "" || row.want == found.want) && (row.got == "" || row.got == found.got) {
			return i
		}
	}
	return -1
}

func (c *conversation) unexcused(found []mismatch) []mismatch {
	var rest []mismatch
	for _, one := range found {
		if excused(c.rec.name, one) < 0 {
			rest = append(rest, one)
		}
	}
	return rest
}

// judge fails the test for each mismatch without a row. That each row is needed is asked at the end of all tests.
func judge(t *testing.T, recording string, found []mismatch) {
	t.Helper()
	seen := map[int]bool{}
	for _, one := range found {
		row := excused(recording, one)
		if row < 0 {
			t.Errorf("%s: %s", recording, one)
			continue
		}
		seen[row] = true
	}
	hits.Lock()
	defer hits.Unlock()
	for row := range seen {
		hits.rows[row] = true
	}
}

// unseen are the rows that no mismatch fell under.
func unseen() []difference {
	hits.Lock()
	defer hits.Unlock()
	var rows []difference
	for i, row := range differences {
		if !hits.rows[i] && !row.timing {
			rows = append(rows, row)
		}
	}
	return rows
}

func glob(pattern, text string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == text
	}
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(text)
}
