package ids

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
)

// FunctionIdempotency is the idempotency string of one start of a function: two starts with the same key within 24 h
// are one run (spec 02 §3, spec 03 §14.5). Shape: x36(function UUID) "-" x36(key).
func FunctionIdempotency(fn uuid.UUID, key string) string {
	return X36(fn.String()) + "-" + X36(key)
}

// RunKey is the prefix of all job IDs of a run: "<function UUID>:<idempotency string>". A run without an idempotency
// string uses its run ID in that place.
func RunKey(fn uuid.UUID, idempotency, runID string) string {
	if idempotency == "" {
		idempotency = runID
	}
	return fn.String() + ":" + idempotency
}

// The job IDs below are the queue's: x36 of the text that spec 02 §5 lists. The first argument of each, key, is the run's
// RunKey; op is a hashed step ID.

// StartJob is the job that calls the function for the first time.
func StartJob(key string) string { return X36(key) }

// DiscoveryJob is the job that calls the function again after the step op was saved.
func DiscoveryJob(key, op string) string { return X36(key + "-" + op) }

// CoalescedJob is the single discovery that follows a whole parallel group; group is its CoalesceKey.
func CoalescedJob(runID, group string) string { return X36(runID + "-" + group + "-discover") }

// PlannedJob is the call that runs the planned step op.
func PlannedJob(key, op string) string { return X36(key + "-" + op + "-plan") }

// FailureJob is the discovery after the step op failed for good.
func FailureJob(key, op string) string { return X36(key + "-" + op + "-failure") }

// SleepJob is the timer of the sleep op. It shares its text with the discovery of the same op, which cannot exist beside it.
func SleepJob(key, op string) string { return X36(key + "-" + op) }

// PauseJob is the timeout of the wait, signal or invoke op.
func PauseJob(key, op string) string { return X36(key + "-" + op) }

// ResumeJob is the discovery after the pause of op was resumed.
func ResumeJob(key, op string) string { return X36(key + "-" + op + "-event") }

// TimeoutJob is the discovery after the pause of op timed out.
func TimeoutJob(key, op string) string { return X36(key + "-" + op + "-timeout") }

// SyncRetryJob is the retry of the step op of a durable endpoint.
func SyncRetryJob(key, op string) string { return X36(key + "-" + op + "-sync-retry") }

// StartTimeoutJob cancels a run that has not been called in time.
func StartTimeoutJob(key string) string { return X36("eager-cancel-start-timeout-" + key) }

// FinishTimeoutJob cancels a run that has not ended in time.
func FinishTimeoutJob(key string) string { return X36("eager-cancel-finish-timeout-" + key) }

// DebounceJob fires the debounce of that ULID (spec 11 §4.2).
func DebounceJob(debounce string) string { return X36(debounce) }

// BatchJob starts the batch of that ULID (spec 11 §3.5).
func BatchJob(env uuid.UUID, batch string) string { return X36(env.String() + ":" + batch) }

// CoalesceKey names a parallel group of a run: 16 hex digits of the xxHash64 over the run ID's text and, for each op in
// byte order, a zero byte and the op. The order of ops does not matter; the argument is left as it is.
func CoalesceKey(runID string, ops []string) string {
	sorted := slices.Sorted(slices.Values(ops))
	text := []byte(runID)
	for _, op := range sorted {
		text = append(text, 0)
		text = append(text, op...)
	}
	return fmt.Sprintf("%016x", xxhash.Sum64(text))
}
