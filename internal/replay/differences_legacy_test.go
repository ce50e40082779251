package replay

import (
	"maps"
	"slices"
)

// legacyTrace is the query for the trace that older clients know.
const legacyTrace = "graphql *run trace preview=false"

// Ways in which the legacy trace, and the outputs of both, differ from the reference on purpose.
const (
	allSteps      = "steps are shown that checkpoints told of, or that came beside a defer, and so is the end of the function after them"
	noLeftOvers   = "nothing of a run that has ended is queued or in progress: no attempt that is never made, no step that goes on"
	endNamed      = "the end of a function is called by how it ended, not after the op that told of it"
	oneEnd        = "a function ends once; the reference tells of each answer that came to its end"
	sleepsNamed   = "a sleep that began beside other steps has its step ID; and what the run did not wait for when it ended is CANCELLED"
	invokedTold   = "the run that was invoked is told, also when it took too long"
	ownAttempts   = "an attempt of a step is the step's, not one of the call that ended the function"
	nothingToAsk  = "what has no output has no ID of one; the reference gives an ID by which nothing is found"
	outputsAsJSON = "an output is JSON, also the text that an app streamed"
	requestsOnce  = "a request that the server made is one span, with its output; the reference has a second one without"
	requestFailed = "a request that failed shows its error; the reference shows the provider's answer as if it were the result"
)

// checkpointed are the steps that only we have in the legacy trace, by recording.
var checkpointed = map[string][]string{
	"04-three-steps.ts4":                 {"first", "second", "Third, with a name"},
	"05-sleep.ts4":                       {"before", "compute until"},
	"06-step-error-caught.ts4":           {"recover"},
	"07-step-retry-ok.ts4":               {"after"},
	"08-retries-exhausted-onfailure.ts4": {"report"},
	"10-fn-error-then-ok.ts4":            {"a"},
	"12-parallel-nested.ts4":             {"join"},
	"14-optimized-parallelism.ts4":       {"join"},
	"17-signal.ts4":                      {"send"},
	"18-invoke-ok.ts4":                   {"double"},
	"21-step-send-event.ts4":             {"one", "many"},
	"22-batch.ts4":                       {"sum"},
	"23-cancel-on.ts4":                   {"started"},
	"27-checkpoint-default.go":           {"one", "two", "three", "four"},
	"27-checkpoint-default.ts3":          {"one", "two", "three"},
	"27-checkpoint-default.ts4":          {"one", "two", "three", "four"},
	"28-checkpoint-buffered.go":          {"s0", "s1", "s2", "s3", "s4", "s5"},
	"28-checkpoint-buffered.ts3":         {"s0", "s1", "s2", "s4", "s3", "s5", "s6"},
	"28-checkpoint-buffered.ts4":         {"s2", "s0", "s1", "s4", "s3", "s5", "s6"},
	"29-checkpoint-maxruntime.go":        {"s0", "s1", "s3"},
	"29-checkpoint-maxruntime.ts3":       {"s0", "s1", "s2"},
	"29-checkpoint-maxruntime.ts4":       {"s0", "s1", "s2"},
	"30-checkpoint-errors.go":            {"ok", "after"},
	"30-checkpoint-errors.ts3":           {"ok", "after"},
	"30-checkpoint-errors.ts4":           {"ok", "after"},
	"31-large-state.ts4":                 {"sum", "big 0", "big 1", "big 2", "big 3"},
	"32-streaming.ts4":                   {"slow"},
	"33-loop-repeated-ids.ts4":           {"same id"},
	"34-return-values.ts4":               {"null", "undefined", "string", "number", "float", "negative zero", "array", "bool", "date", "object with only data key", "object with error key", "odd keys"},
	"36-defer.ts4":                       {"before", "between", "after", "work"},
	"36-defer.ts4nc":                     {"between", "after"},
}

// legacyDifferences are the rows of the table that are about the legacy trace, and about outputs.
var legacyDifferences = slices.Concat(checkpointedSteps(), []difference{
	{recording: "28-checkpoint-buffered.ts*", where: legacyTrace, field: "trace/end function success ", want: `(absent)`, got: `"end function success "`, reason: allSteps},
	{recording: "28-checkpoint-buffered.ts*", where: legacyTrace, field: "trace.outputID", want: `false`, got: `true`, reason: allSteps},

	{recording: "08-retries-exhausted-onfailure.*", where: legacyTrace, field: "trace/end function error /span Attempt 1 ", want: `"span Attempt 1 "`, got: `(absent)`, reason: noLeftOvers},
	{recording: "09-non-retriable.*", where: legacyTrace, field: "trace/end function error /span Attempt 1 ", want: `"span Attempt 1 "`, got: `(absent)`, reason: noLeftOvers},
	{recording: "09-non-retriable.*", where: legacyTrace, field: "trace/step no retry /span Attempt 1 ", want: `"span Attempt 1 "`, got: `(absent)`, reason: noLeftOvers},
	{recording: "09-non-retriable.*", where: legacyTrace, field: "trace/step no retry .status", want: `"RUNNING"`, got: `"FAILED"`, reason: noLeftOvers},
	{recording: "09-non-retriable.*", where: legacyTrace, field: "trace/step no retry .endedAt", want: `false`, got: `true`, reason: noLeftOvers},
	{recording: "09-non-retriable.*", where: legacyTrace, field: "trace/step no retry .outputID", want: `false`, got: `true`, reason: noLeftOvers},
	{recording: "23-cancel-on.*", where: legacyTrace, field: "trace/step long *status", want: `"RUNNING"`, got: `"CANCELLED"`, reason: noLeftOvers},
	{recording: "23-cancel-on.*", where: legacyTrace, field: "trace/step long *endedAt", want: `false`, got: `true`, reason: noLeftOvers},
	{recording: "24-cancel-rest.*", where: legacyTrace, field: "trace/step forever .status", want: `"WAITING"`, got: `"CANCELLED"`, reason: noLeftOvers},
	{recording: "24-cancel-rest.*", where: legacyTrace, field: "trace/step forever .endedAt", want: `false`, got: `true`, reason: noLeftOvers},

	{recording: "*", where: legacyTrace, field: "trace/end " + completeOp + " .name", want: `"` + completeOp + `"`, got: `"function success"`, reason: endNamed},
	{recording: "*", where: legacyTrace, field: "trace/end " + completeOp + " .stepID", want: `"` + completeOp + `"`, got: `null`, reason: endNamed},
	{recording: "*", where: legacyTrace, field: "trace/end execute .name", want: `"execute"`, got: `"function success"`, reason: endNamed},
	{recording: "*", where: legacyTrace, field: "trace/end execute /span Attempt 1 .stepID", want: `"` + completeOp + `"`, got: `null`, reason: endNamed},

	{recording: "11-parallel-three.ts3", where: legacyTrace, field: "trace/end function success ", want: `"end function success "`, got: `(absent)`, reason: oneEnd},
	{recording: "11-parallel-three.ts3", where: "graphql *span output", field: "answer", want: `200`, got: noOutput, reason: oneEnd},

	{recording: "12-parallel-nested.*", where: legacyTrace, field: "trace/span x nap ", want: `"span x nap "`, got: `(absent)`, reason: sleepsNamed},
	{recording: "12-parallel-nested.*", where: legacyTrace, field: "trace/step x nap ", want: `(absent)`, got: `"step x nap "`, reason: sleepsNamed},
	{recording: "12-parallel-nested.*", where: legacyTrace, field: "trace/span y nap ", want: `"span y nap "`, got: `(absent)`, reason: sleepsNamed},
	{recording: "12-parallel-nested.*", where: legacyTrace, field: "trace/step y nap ", want: `(absent)`, got: `"step y nap "`, reason: sleepsNamed},
	{recording: "13-parallel-race.*", where: legacyTrace, field: "trace/span slow ", want: `"span slow "`, got: `(absent)`, reason: sleepsNamed},
	{recording: "13-parallel-race.*", where: legacyTrace, field: "trace/step slow ", want: `(absent)`, got: `"step slow "`, reason: sleepsNamed},

	{recording: "17-signal.*", where: legacyTrace, field: "trace/step sig timeout .outputID", want: `true`, got: `false`, reason: nothingToAsk},
	{recording: "17-signal.*", where: "graphql *span output", field: "answer", want: `200`, got: noOutput, reason: nothingToAsk},
	{recording: "20-invoke-missing-timeout.*", where: legacyTrace, field: "trace/step call * .stepInfo.InvokeStepInfo_runID", want: `null`, reason: invokedTold},

	{recording: "30-checkpoint-errors.go", where: legacyTrace, field: "trace/step flaky ", want: `(absent)`, got: `"step flaky "`, reason: ownAttempts},
	{recording: "30-checkpoint-errors.go", where: legacyTrace, field: "trace/end function success .stepID", want: `"` + flakyStep + `"`, got: `null`, reason: ownAttempts},
	{recording: "30-checkpoint-errors.ts3", where: legacyTrace, field: "trace/end function success ", want: `(absent)`, got: `"end function success "`, reason: ownAttempts},
	{recording: "30-checkpoint-errors.ts3", where: legacyTrace, field: "trace/step flaky *stepOp", want: `null`, got: `"RUN"`, reason: ownAttempts},
	{recording: "30-checkpoint-errors.ts3", where: legacyTrace, field: "trace/step flaky /span Attempt 1 .stepID", want: `"` + completeOp + `"`, got: `"` + flakyStep + `"`, reason: ownAttempts},
	{recording: "30-checkpoint-errors.ts3", where: legacyTrace, field: "trace/step flaky /span Attempt 1 .outputID", want: `false`, got: `true`, reason: ownAttempts},

	{recording: "11-parallel-three.*", where: legacyTrace, field: "trace order", reason: order, timing: true},
	{recording: "12-parallel-nested.*", where: legacyTrace, field: "trace order", reason: order, timing: true},
	{recording: "13-parallel-race.*", where: legacyTrace, field: "trace order", reason: order, timing: true},
	{recording: "14-optimized-parallelism.*", where: legacyTrace, field: "trace order", reason: order, timing: true},
	{recording: "27-checkpoint-default.*", where: legacyTrace, field: "trace order", reason: order, timing: true},

	{recording: "25-ai-infer.*", where: "graphql *span output", field: outputField + "data", want: `""`, reason: requestsOnce},
	{recording: "25-ai-infer.*", where: "graphql *span output", field: outputField + "data", want: `{"json":` + rateLimited + `}`, got: `null`, reason: requestFailed},
	{recording: "25-ai-infer.*", where: "graphql *span output", field: outputField + "error", want: `null`, got: requestError, reason: requestFailed},
	{recording: "32-streaming.go", where: "graphql *span output", field: outputField + "data", want: `"slow"`, got: `{"json":"slow"}`, reason: outputsAsJSON},
	{recording: "32-streaming.go", where: "graphql *span output", field: outputField + "error.stack", want: `"error calling function: streamed failure"`, got: `"\"error calling function: streamed failure\""`, reason: outputsAsJSON},
	{recording: "34-return-values.go", where: "graphql *span output", field: outputField + "data.json number text", want: `1234567890123456800`, got: `1234567890123456789`, reason: exactNumbers},
})

// Texts of the recordings.
const (
	outputField = "body.data.runTraceSpanOutputByID."
	noOutput    = "no output in this place of the trace"
	// completeOp is the ID of the op by which the TypeScript SDK ends a run, flakyStep that of a step.
	completeOp   = "0737c22d3bfae812339732d14d8c7dbd6dc4e09c"
	flakyStep    = "0612bcf5b16a1ec368ef4ebb92d6be2f7040260b"
	rateLimited  = `{"error":{"message":"Rate limit reached","type":"rate_limit"}}`
	requestError = `{"cause":null,"message":"Error making AI request: unsuccessful status code: 429","name":"AIGatewayError","stack":"{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"rate_limit\"}}"}`
)

// checkpointedSteps are the rows of the steps that only we have.
func checkpointedSteps() []difference {
	var rows []difference
	for _, recording := range slices.Sorted(maps.Keys(checkpointed)) {
		for _, step := range checkpointed[recording] {
			rows = append(rows, difference{
				recording: recording, where: legacyTrace, field: "trace/step " + step + " ", want: `(absent)`, got: `"step ` + step + ` "`, reason: allSteps,
			})
		}
	}
	return rows
}
