package flow

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// Place is what a job's place in its function's queue depends on.
type Place struct {
	// Kind is the job's, as stored: "start", "edge" and so on.
	Kind string
	// Run is the run's ID; zero for a job of no run.
	Run ulid.ULID
	// Factor is the run's priority in seconds, between -MaxFactor and MaxFactor.
	Factor int
	// At is when the job may be handed out.
	At time.Time
}

// MaxFactor is the largest factor in seconds; the smallest is its negative.
const MaxFactor = 43200

// soon is how far ahead of now a job counts as one for now.
const soon = 2 * time.Second

// Score is the job's place in its function's queue, in milliseconds since the epoch, lowest first. The queue hands out no job before its
// Score, nor before Place.At.
//
// Work for now is placed by the run's age: a run's later steps go before the start of younger runs. The calls of a run with a factor go so
// many seconds before those of runs of its age, or, with a negative one, after them; such a run is delayed even when nothing else waits. Work
// for later, and jobs that lead no run on, are placed by their own time.
//
// Source: spec 09 §6, spec 11 §9.
func Score(p Place, now time.Time) int64 {
	ahead, follows := follows(p.Kind)
	if !follows || p.Run.IsZero() || p.At.After(now.Add(soon)) {
		return p.At.UnixMilli()
	}
	// Whoever made the run's ID, the client of a durable endpoint among them, may be ahead of our time. That delays nothing.
	score := min(int64(p.Run.Time()), p.At.UnixMilli())
	if ahead {
		score -= int64(p.Factor) * 1000
	}
	return score
}

// follows says whether a kind of job leads a run on, and whether the run's priority counts for it.
func follows(kind string) (prioritised, promoted bool) {
	switch kind {
	case "start", "edge", "edge-error", "gateway":
		return true, true
	case "sleep", "pause":
		return false, true
	}
	return false, false
}
