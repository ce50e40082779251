package trace

// Keys of attributes. Spec 15 §8.5. Types: t a time, a string of milliseconds since the epoch; i, b numbers and booleans; S a list of
// strings; j JSON in a string; the others strings.
const (
	KeyBatchID            = "_inngest.batch.id"
	KeyBatchAt            = "_inngest.batch.ts" // t
	KeyCheckpoint         = "_inngest.checkpoint"
	KeyCron               = "_inngest.cron.schedule"
	KeyDeferFunction      = "_inngest.defer.fn_slug"
	KeyDeferID            = "_inngest.defer.hashed_id"
	KeyDeferParentSlug    = "_inngest.defer.parent_fn_slug"
	KeyDeferParents       = "_inngest.defer.parent_run_ids" // S
	KeyDeferStatus        = "_inngest.defer.status"
	KeyDeferUserlandID    = "_inngest.defer.userland_id"
	KeyDynamicID          = "_inngest.dynamic.span.id"
	KeyStatus             = "_inngest.dynamic.status"
	KeyEndedAt            = "_inngest.ended_at"       // t
	KeySessions           = "_inngest.event.sessions" // j
	KeyEventName          = "_inngest.event.trigger.name"
	KeyCallStartedAt      = "_inngest.ingot.call.started_at" // t
	KeyMetadata           = "_inngest.ingot.metadata"        // j
	KeyPlanTiming         = "_inngest.ingot.plan"            // as KeyTiming, of the call that came to the step
	KeyTiming             = "_inngest.ingot.timing"          // see timings
	KeyFunctionOutput     = "_inngest.is.function.output"    // b
	KeyGroupID            = "_inngest.job.group.id"
	KeyJobID              = "_inngest.job.id"
	KeyQueuedAt           = "_inngest.queued_at" // t
	KeyRequestID          = "_inngest.request.id"
	KeyHeaders            = "_inngest.response.headers"        // j
	KeyOutputSize         = "_inngest.response.output_size"    // i
	KeyStatusCode         = "_inngest.response.status_code"    // i
	KeyEndpoint           = "_inngest.run.is_durable_endpoint" // b
	KeyOriginalRun        = "_inngest.run.replay_original_run_id"
	KeyScheduleType       = "_inngest.run.schedule_type"
	KeySkipExisting       = "_inngest.run.skip_existing_run_id"
	KeySkipReason         = "_inngest.run.skip_reason"
	KeyScheduledAt        = "_inngest.scheduled_at"                            // t
	KeyStartedAt          = "_inngest.started_at"                              // t
	KeyAttempt            = "_inngest.step.attempt"                            // i
	KeyGatewayOutputSize  = "_inngest.step.gateway.response.output_size_bytes" // i
	KeyGatewayStatusCode  = "_inngest.step.gateway.response.status_code"       // i
	KeyStepID             = "_inngest.step.id"
	KeyInvokeFinishEvent  = "_inngest.step.invoke.finish.event.id"
	KeyInvokeFunction     = "_inngest.step.invoke.function.id"
	KeyInvokeRun          = "_inngest.step.invoke.run.id"
	KeyInvokeTriggerEvent = "_inngest.step.invoke.trigger.event.id"
	KeyMaxAttempts        = "_inngest.step.max_attempts" // i
	KeyStepName           = "_inngest.step.name"
	KeyStepOp             = "_inngest.step.op"
	KeyStepRunType        = "_inngest.step.run.type"
	KeySignal             = "_inngest.step.signal.name"
	KeySleepDuration      = "_inngest.step.sleep.duration" // i, milliseconds
	KeyStepType           = "_inngest.step.type"
	KeyUserlandID         = "_inngest.step.userland.id"
	KeyUserlandIndex      = "_inngest.step.userland.index" // i
	KeyWaitExpired        = "_inngest.step.wait.expired"   // b
	KeyWaitExpiry         = "_inngest.step.wait.expiry"    // t
	KeyWaitIf             = "_inngest.step.wait_for_event.if"
	KeyWaitMatched        = "_inngest.step.wait_for_event.matched_id"
	KeyWaitEvent          = "_inngest.step.wait_for_event.name"
)
