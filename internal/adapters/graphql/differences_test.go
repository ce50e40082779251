package graphql_test

// Reasons, in the words of docs/compatibility.md.
const (
	longPages   = "a page of events has as many as are asked for, up to 400"
	exactTimes  = "times of runs: queued when the ID was made, started at the first call, ended when it ended"
	leftBehind  = "a run that has ended waits for nothing"
	oneTrace    = "a run has one trace ID, in lists and by itself"
	outputs     = "outputs are shown in lists, too"
	endedOnly   = "a list by ENDED_AT has the runs that have ended"
	exactCursor = "cursors are exact, and of one form"
	hasPrevious = "hasPreviousPage is true behind a cursor"
	deferredSet = "isDeferred is always told"
	nameTold    = "eventName of a single run is told"
	rootNamed   = "the span of a run is named Run, whatever its last step was"
	noResponse  = "a run without an answer of the app has no response"
	finalNamed  = "the end of a function is named Finalization, once"
)

// differences is the whole list.
var differences = []difference{
	{query: "eventsV2", path: "data.eventsV2.edges.order", reason: longPages},
	{query: "eventsV2", path: "data.eventsV2.edges[*]*", want: "(absent)", reason: longPages},
	{query: "runs by *", path: "data.runs.edges[*].node.queuedAt", reason: exactTimes},
	{query: "runs by *", path: "data.runs.edges[*].node.startedAt", reason: exactTimes},
	{query: "runs by *", path: "data.runs.edges[*].node.endedAt", reason: exactTimes},
	{query: "run *", path: "data.run.endedAt", reason: exactTimes},
	{query: "run *", path: "data.run.startedAt", got: "null", reason: exactTimes},
	{query: "runs by *", path: "data.runs.edges[*].node.traceID", reason: oneTrace},
	{query: "runs by *", path: "data.runs.edges[*].node.output", want: "null", reason: outputs},
	{query: "runs by ENDED_AT *", path: "data.runs.edges[*].node.*", got: "(absent)", reason: endedOnly},
	{query: "runs by ENDED_AT *", path: "data.runs.edges.order", reason: endedOnly},
	{query: "runs by ENDED_AT *", path: "data.runs.totalCount", want: "23", got: "21", reason: endedOnly},
	{query: "runs page *", path: "data.runs.edges[*].cursor", reason: exactCursor},
	{query: "runs page *", path: "data.runs.pageInfo.*Cursor", reason: exactCursor},
	{query: "runs page 2", path: "data.runs.pageInfo.hasPreviousPage", want: "false", got: "true", reason: hasPrevious},
	{query: "runs by *", path: "data.runs.edges[*].node.isDeferred", want: "false", got: "true", reason: deferredSet},
	{query: "run *", path: "data.run.isDeferred", want: "false", got: "true", reason: deferredSet},
	{query: "run *", path: "data.run.eventName", want: "null", reason: nameTold},
	{query: "run *", path: "data.run.trace.name", got: "Run", reason: rootNamed},
	{query: "run *", path: "data.run.trace.stepID", got: "null", reason: rootNamed},
	{query: "run *", path: "data.run.trace.response*", reason: noResponse},
	{query: "run *", path: "data.run.trace.step[*].status", want: "WAITING", got: "CANCELLED", reason: leftBehind},
	{query: "run *", path: "data.run.trace.step[end].name", want: "executor.nonstep", got: "Finalization", reason: finalNamed},
}
