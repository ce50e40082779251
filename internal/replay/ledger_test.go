package replay

import (
	"os"
	"strings"
	"testing"
)

// ledger says which row of docs/compatibility.md stands behind a reason, by its area or, where that tells it from others, its beginning.
var ledger = map[string]string{
	noCarriers:      "`tc`, `isr` and `parent_defer_span` in `_inngest` of events that the server makes",
	keepAlive:       "Calls to apps",
	exactNumbers:    "Numbers",
	jsonType:        "Content type of JSON answers",
	noCache:         "REST v1, cache of GET answers",
	notUsable:       "`/fn/register` of settings that are accepted but cannot be used",
	completeOutput:  "Output of a run that ended with `RunComplete`",
	batchTold:       "Batches, `batch_id` of a run under `/v1`",
	exactBody:       "Body of `step.ai.infer`",
	signalName:      "`POST /v1/signals` without a name",
	ownItems:        "REST v1, `GET /v1/runs/<id>/jobs`",
	noSuchRun:       "Metadata of an unknown run",
	bulkCancel:      "`POST`, `GET`, `DELETE /v1/cancellations`",
	notSaved:        "A checkpoint for a run that does not exist, or that cannot be saved",
	planFlag:        "`disable_immediate_execution` in a parallel group that follows a sleep",
	listedOnce:      "`GET /v1/events/<id>/runs` with several finishing answers",
	tooLate:         "Discovery after the run has ended (execution version 1)",
	goNotTrimmed:    "Large state and the Go SDK",
	moreMetrics:     "`GET /metrics`, besides",
	allOrNone:       "Event API, several events in a request",
	noEnd:           "Arrays of events without their end",
	otherPath:       "Paths with a slash at the end; unknown paths",
	laterWins:       "Two functions with one slug in a sync",
	noDashboard:     "Dashboard, MCP",
	realStatus:      "REST v1, errors of GET under `/v1`",
	unknownRun:      "REST v1, GET of an unknown run",
	noSecrets:       "`GET /dev`",
	oneVary:         "`Vary` under `/v0`",
	requestRepeated: "Durable endpoints, call after a wait",
	textBodies:      "Durable endpoints, bodies that the TypeScript SDK writes as text",
	triedAgain:      "Durable endpoints, a call that something in front of the app answers with an error",
	jobsByRun:       "Durable endpoints, job IDs",
	sandboxed:       "Durable endpoints, `…/output`, headers",
	plainOutput:     "Output of a durable endpoint's run",
	notFailedYet:    "`GET /v1/events/<id>/runs`, a run whose last attempt failed and that is tried again",
	namesTold:       "GraphQL runs, `output` in lists, `eventName` of a single run, `isDeferred`, `hasAI`",
	keepsReason:     "GraphQL, an app whose sync was refused",
	emptySync:       "An app that registers no functions",
	ownIDs:          "Two functions with one name and URL, of one app or of two",
	atNowhere:       "Durable endpoints, a run without an ID or at no address",
	saysWhich:       "GraphQL `runTrace` of an unknown run",
	badCursor:       "Lists of runs, order",
	saysWhere:       "Search of runs, language",
	listedAtOnce:    "Lists of runs, a run that was just started",
	textAsJSON:      "Output of a run whose app answered with plain text, over GraphQL",
	endpointTrees:   "Durable endpoints, trace of a run",
	startTold:       "Durable endpoints, trace of a run",
	nextAttempt:     "Trace of a run, attempts",

	// Reasons of traces.
	"hasAI is true for runs that asked a model, not for outputs that look like an answer of one": "GraphQL, `hasAI`",
	"the span of a run is named Run, its end Finalization, whatever its last op was":             "Trace of a run, names of the root and of its end",
	"each span tells its app": "Trace of a run, response and app of a span",
	"a response is told at the step that came of it, also of calls that only planned; none where there was none": "Trace of a run, response and app of a span",
	"a step that failed for good is the same kind of step as before":                                             "Trace of a run, `stepOp` of a step that failed for good",
	waitsEnd:      "Trace of a run, what it left behind when it ended",
	wholeStep:     "Trace of a run, times of a step that was tried again",
	endpointCalls: "Durable endpoints, trace of a run",
	endpointTimes: "Trace of a run, `inngest.http.timing` and `network_total_ms` of calls of durable endpoints",
	"spans that began together are in the order in which they happened":                                                                "Trace of a run, order of what began in one millisecond",
	"steps are shown that checkpoints told of, or that came beside a defer, and so is the end of the function after them":              "Trace of a run, legacy shape, steps of checkpoints, or told of beside a defer",
	"nothing of a run that has ended is queued or in progress: no attempt that is never made, no step that goes on":                    "Trace of a run, legacy shape, after the end",
	"the end of a function is called by how it ended, not after the op that told of it":                                                "Trace of a run, legacy shape, end of the function",
	"a function ends once; the reference tells of each answer that came to its end":                                                    "Trace of a run, legacy shape, end of the function",
	"a sleep that began beside other steps has its step ID; and what the run did not wait for when it ended is CANCELLED":              "Trace of a run, legacy shape, a sleep that began beside other steps",
	"the run that was invoked is told, also when it took too long":                                                                     "Trace of a run, legacy shape, an invocation that took too long",
	"an attempt of a step is the step's, not one of the call that ended the function":                                                  "Trace of a run, legacy shape, attempts of a step that a checkpoint told of",
	"what has no output has no ID of one; the reference gives an ID by which nothing is found":                                         "Output of a wait for a signal that did not come, legacy shape",
	"an output is JSON, also the text that an app streamed":                                                                            "Output of a span that came as text in a stream, legacy shape",
	"a request that the server made is one span, with its output; the reference has a second one without":                              "Output of a request to a model",
	"a request that failed shows its error; the reference shows the provider's answer as if it were the result":                        "Output of a request to a model",
	"where the time of a call went is told at what it began with or came to; the reference leaves it out, or tells it at another step": "Trace of a run, metadata `inngest.timing`, `inngest.http.timing`",
	"steps that are saved long after the app ran them began together":                                                                  "Trace of a run, times of steps that an app saves",
}

// TestLedger: nothing differs without a row of the page that users read.
func TestLedger(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	var areas []string
	for line := range strings.Lines(string(page)) {
		if row, isRow := strings.CutPrefix(line, "| "); isRow {
			area, _, _ := strings.Cut(row, " | ")
			areas = append(areas, area)
		}
	}
	asked := map[string]bool{}
	for _, row := range differences {
		if asked[row.reason] {
			continue
		}
		asked[row.reason] = true
		area, ok := ledger[row.reason]
		if !ok {
			t.Errorf("no row of the page is named for the reason %q", row.reason)
		} else if rows := rowsAbout(areas, area); rows != 1 {
			t.Errorf("%q: the page has %d rows about %q", row.reason, rows, area)
		}
	}
	for reason := range ledger {
		if !asked[reason] {
			t.Errorf("nothing differs any more for the reason %q", reason)
		}
	}
}

// rowsAbout counts the areas that are the one asked for or, when none is, begin with it.
func rowsAbout(areas []string, asked string) int {
	exactly, begin := 0, 0
	for _, area := range areas {
		if area == asked {
			exactly++
		}
		if asked != "" && strings.HasPrefix(area, asked) {
			begin++
		}
	}
	if exactly > 0 {
		return exactly
	}
	return begin
}
