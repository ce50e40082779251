package replay

// differencesOfRuns are those of runs over GraphQL, outside of traces; and all those of the run that hangs in the reference, and of runs of
// durable endpoints.
var differencesOfRuns = []difference{
	{recording: "*", where: "graphql * run trace *", field: "body.data.run.eventName", want: "null", reason: namesTold},
	{recording: "*", where: "graphql * run trace *", field: "body.data.run.output", want: "RunComplete", got: "its data", reason: completeOutput},
	{recording: "32-streaming.go", where: "graphql * run trace *", field: "body.data.run.output", want: `"slow"`, got: `{"json":"slow"}`, reason: textAsJSON},
	{
		recording: "32-streaming.go", where: "graphql * run trace *", field: "body.data.run.output", reason: textAsJSON,
		want: `"error calling function: streamed failure"`, got: `{"json":"error calling function: streamed failure"}`,
	},
	{recording: "*", where: "graphql * run trigger", field: "body.data.runTrigger.payloads[0].json.data._inngest.tc", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "graphql * run trigger", field: "body.data.runTrigger.payloads[0].json.data._inngest.isr", got: "(absent)", reason: noCarriers},
	{recording: "36-defer.*", where: "graphql * run trigger", field: "body.data.runTrigger.payloads[0].json.data._inngest.parent_defer_span", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "graphql * span output", field: "body.data.runTraceSpanOutputByID.input.json[0].data._inngest.tc", got: "(absent)", reason: noCarriers},
	{recording: "*", where: "graphql * span output", field: "body.data.runTraceSpanOutputByID.input.json[0].data._inngest.isr", got: "(absent)", reason: noCarriers},
	{recording: "36-defer.*", where: "graphql * span output", field: "body.data.runTraceSpanOutputByID.input.json[0].data._inngest.parent_defer_span", got: "(absent)", reason: noCarriers},

	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "body.data.run.status", want: `"RUNNING"`, got: `"COMPLETED"`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "body.data.run.endedAt", want: "null", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "body.data.run.output", want: "null", got: `{"json":"done"}`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace.status", want: `"RUNNING"`, got: `"COMPLETED"`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace.endedAt", want: "false", got: "true", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "body.data.run.status", want: `"RUNNING"`, got: `"COMPLETED"`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "body.data.run.endedAt", want: "null", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "body.data.run.output", want: "null", got: `{"json":"done"}`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "trace.status", want: `"RUNNING"`, got: `"COMPLETED"`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "trace.endedAt", want: "false", got: "true", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace.outputID", want: "false", got: "true", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace/step big 0 ", want: `"step big 0 "`, got: "(absent)", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace/span Queued step ", want: `"span Queued step "`, got: "(absent)", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 1 run trace preview=false", field: "trace/end function success ", want: "(absent)", got: `"end function success "`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 5 span output", field: "answer", want: "200", got: "no output in this place of the trace", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "trace.duration", want: "false", got: "true", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "trace.response", want: "null", reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 6 run trace preview=true", field: "trace/end Finalization ", want: "(absent)", got: `"end Finalization "`, reason: goNotTrimmed},
	{recording: "31-large-state.go", where: "graphql 7 span output", field: "body.data.runTraceSpanOutputByID.data", want: `""`, got: `{"json":"done"}`, reason: goNotTrimmed},

	{recording: "35-durable-endpoint.*", where: "graphql * run trace preview=false", field: "body.data.run.trace", want: "null", reason: endpointTrees},
	{
		recording: "35-durable-endpoint.*", where: "graphql * run trace preview=false", field: "body.errors", reason: endpointTrees,
		want: `[{"message":"no function run span found","path":["run","trace"]}]`, got: "(absent)",
	},
	{
		recording: "35-durable-endpoint.go", where: "graphql * run trace *", field: "body.data.run.output", reason: textAsJSON,
		want: `"endpoint failed\n"`, got: `{"json":"endpoint failed\n"}`,
	},
	{recording: "35-durable-endpoint.go", where: "graphql 31 span output", field: "body.data.runTraceSpanOutputByID.data", want: `"{\"data\":endpoint failed\n}"`, got: "null", reason: textAsJSON},
	{recording: "35-durable-endpoint.go", where: "graphql 31 span output", field: "body.data.runTraceSpanOutputByID.error", want: "null", reason: textAsJSON},
	{recording: "35-durable-endpoint.ts4", where: "graphql 9 span output", field: "body.data.runTraceSpanOutputByID.data.json.data", got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 9 span output", field: "body.data.runTraceSpanOutputByID.data.json.id", want: `"0737c22d3bfae812339732d14d8c7dbd6dc4e09c"`, got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 9 span output", field: "body.data.runTraceSpanOutputByID.data.json.op", want: `"RunComplete"`, got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 9 span output", field: "body.data.runTraceSpanOutputByID.data.json.a", want: "(absent)", got: `{"a":1}`, reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 9 span output", field: "body.data.runTraceSpanOutputByID.data.json.b", want: "(absent)", got: `"two"`, reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 13 span output", field: "body.data.runTraceSpanOutputByID.data.json.data", got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 13 span output", field: "body.data.runTraceSpanOutputByID.data.json.id", want: `"0737c22d3bfae812339732d14d8c7dbd6dc4e09c"`, got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 13 span output", field: "body.data.runTraceSpanOutputByID.data.json.op", want: `"RunComplete"`, got: "(absent)", reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 13 span output", field: "body.data.runTraceSpanOutputByID.data.json.a", want: "(absent)", got: `{"a":1}`, reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 13 span output", field: "body.data.runTraceSpanOutputByID.data.json.b", want: "(absent)", got: `"two"`, reason: plainOutput},
	{recording: "35-durable-endpoint.ts4", where: "graphql 17 span output", field: "body.data.runTraceSpanOutputByID.data", got: "null", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 17 span output", field: "body.data.runTraceSpanOutputByID.error", want: "null", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 19 span output", field: "body.data.runTraceSpanOutputByID.data", got: "null", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 19 span output", field: "body.data.runTraceSpanOutputByID.error", want: "null", reason: triedAgain},
	{recording: "35-durable-endpoint.go", where: "graphql 2 run trace preview=true", field: "trace.response.headers.X-Inngest-Sdk", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.go", where: "graphql 2 run trace preview=true", field: "trace.response.headers.X-Run-Id", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.go", where: "graphql 8 run trace preview=true", field: "trace.response.headers.X-Inngest-Sdk", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.go", where: "graphql 8 run trace preview=true", field: "trace.response.headers.X-Run-Id", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.go", where: "graphql 30 run trace preview=true", field: "trace.response.headers.X-Inngest-Sdk", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.go", where: "graphql 30 run trace preview=true", field: "trace.response.headers.X-Run-Id", got: "(absent)", reason: endpointCalls},
	{recording: "35-durable-endpoint.*", where: "graphql * run trace preview=true", field: "trace/step nap .groupID", want: "true", got: "false", reason: endpointCalls},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace.response.statusCode", want: "0", got: "500", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace/end Finalization .response", want: `{"headers":{},"statusCode":0}`, got: "null", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace.groupID", want: "false", got: "true", reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 15 run trace preview=false", field: "body.data.run.status", want: `"COMPLETED"`, got: `"FAILED"`, reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "body.data.run.status", want: `"COMPLETED"`, got: `"FAILED"`, reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace.status", want: `"COMPLETED"`, got: `"FAILED"`, reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace/end Finalization .status", want: `"COMPLETED"`, got: `"FAILED"`, reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace/end Finalization .attempts", want: "0", got: "3", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 16 run trace preview=true", field: "trace/end Finalization /span Attempt * ", want: "(absent)", reason: triedAgain},
	{recording: "35-durable-endpoint.ts4", where: "graphql 21 run trace preview=false", field: "body.data.run.startedAt", want: "null", reason: startTold},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "body.data.run.startedAt", want: "null", reason: startTold},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization .status", want: `"FAILED"`, got: `"RUNNING"`, reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization .attempts", want: "2", got: "3", reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization .outputID", want: "true", got: "false", reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization .endedAt", want: "true", got: "false", reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization .duration", want: "true", got: "false", reason: nextAttempt},
	{recording: "35-durable-endpoint.ts4", where: "graphql 22 run trace preview=true", field: "trace/end Finalization /span Attempt 2 ", want: "(absent)", reason: nextAttempt},
}

const (
	textAsJSON    = "the output of an app that answered with plain text is shown as JSON, like every other"
	endpointTrees = "runs of durable endpoints have the legacy trace, too"
	startTold     = "a run of a durable endpoint tells when it began before it has ended, too"
	endpointCalls = "a durable endpoint is called by its client: nothing is told of headers that only its client was answered, nor of a group of calls"
	nextAttempt   = "what is tried again is RUNNING in between, and has the attempt that is to come"
)
