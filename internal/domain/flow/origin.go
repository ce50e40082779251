package flow

// Origin is what a run is scheduled for. It decides which settings count.
type Origin int

// The origins.
const (
	// FromEvent is an event that triggers or invokes the function. Everything counts.
	FromEvent Origin = iota
	// FromRequest is a request to run the function now: an invocation by API, or the call of a durable endpoint. It is never batched.
	FromRequest
	// FromRerun repeats a run. It is neither batched nor counted by the rate limit.
	FromRerun
	// FromCron is a tick of a schedule. It is never batched.
	FromCron
	// FromDebounce is the event that waited for its key to become quiet. It was counted by the rate limit when it came.
	FromDebounce
	// FromBatch is a batch that starts, decided by its first event. It is not counted by the rate limit.
	FromBatch
)

func (o Origin) batches() bool { return o == FromEvent }

func (o Origin) counts() bool { return o != FromRerun && o != FromDebounce && o != FromBatch }

func (o Origin) debounces() bool { return o != FromDebounce && o != FromBatch }
