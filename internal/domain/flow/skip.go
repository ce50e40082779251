package flow

// SkipReason is why an event starts no run of a function that it triggers. The texts are those of the API. Spec 11 §6.
type SkipReason string

// Reasons.
const (
	NotSkipped SkipReason = ""
	// SkippedByPause says that the function is paused.
	SkippedByPause SkipReason = "FunctionPaused"
	// SkippedBySingleton says that another run of a function that allows one at a time is in progress.
	SkippedBySingleton SkipReason = "Singleton"
)

// Sentence says to somebody who waits for the run that there is none.
func (r SkipReason) Sentence() string {
	switch r {
	case SkippedByPause:
		return "invoked function was not started: the function is paused"
	case SkippedBySingleton:
		return "invoked function was not started: another run of it is in progress"
	default:
		return "invoked function was not started: " + string(r)
	}
}
