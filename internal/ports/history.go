package ports

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// RunStatus is where a run is in its life, as lists of runs see it. The texts are those of spec 05 §6.2 as words.
type RunStatus string

// Statuses of runs.
const (
	RunQueued    RunStatus = "Queued"
	RunRunning   RunStatus = "Running"
	RunCompleted RunStatus = "Completed"
	RunFailed    RunStatus = "Failed"
	RunCancelled RunStatus = "Cancelled"
	RunSkipped   RunStatus = "Skipped"
)

// Ended says that the run does not change any more.
func (s RunStatus) Ended() bool {
	switch s {
	case RunCompleted, RunFailed, RunCancelled, RunSkipped:
		return true
	case RunQueued, RunRunning:
	}
	return false
}

// RunTime is the time of a run by which a list is ordered and bounded.
type RunTime int

// Times of runs. QueuedAt is that of the run's ID. ByStarted is the same, as it is in the reference, so that runs that have not started
// are in the list too. ByEnded lists runs that have ended.
const (
	ByQueued RunTime = iota
	ByStarted
	ByEnded
)

// RunList selects runs and says in which order they come: by Time, those of the same millisecond by ID, both descending unless Ascending.
// Zero fields do not select.
type RunList struct {
	Functions, Apps []uuid.UUID
	Statuses        []RunStatus
	Time            RunTime
	// From and Until bound the time, both inclusive.
	From, Until time.Time
	Ascending   bool
	// Deferred selects runs that another run started when it ended, or all others.
	Deferred *bool
	// Skipped includes runs that did not start; so does naming the status.
	Skipped bool
	// After is the last run of the page before.
	After *RunCursor
	// Limit is the number of runs to return at most; it is positive. It does not matter to CountRuns, nor does After.
	Limit int
}

// Selects says whether a run is on one of the list's pages.
func (q RunList) Selects(r RunSummary) bool {
	at := r.At(q.Time)
	switch {
	case len(q.Functions) > 0 && !slices.Contains(q.Functions, r.FunctionID),
		len(q.Apps) > 0 && !slices.Contains(q.Apps, r.AppID),
		len(q.Statuses) > 0 && !slices.Contains(q.Statuses, r.Status),
		len(q.Statuses) == 0 && r.Status == RunSkipped && !q.Skipped,
		q.Time == ByEnded && r.EndedAt.IsZero(),
		q.Deferred != nil && *q.Deferred != r.Deferred,
		!q.From.IsZero() && at.Before(q.From), !q.Until.IsZero() && at.After(q.Until):
		return false
	}
	return true
}

// Behind says whether a run comes after the page before, as After names it.
func (q RunList) Behind(r RunSummary) bool {
	return q.After == nil || q.Compare(RunSummary{RunID: q.After.Run, QueuedAt: ulid.Time(q.After.Run.Time()).UTC(), EndedAt: q.After.At}, r) < 0
}

// Compare orders runs as the list does: it is negative when a comes before b.
func (q RunList) Compare(a, b RunSummary) int {
	order := cmp.Or(a.At(q.Time).Compare(b.At(q.Time)), a.RunID.Compare(b.RunID))
	if !q.Ascending {
		return -order
	}
	return order
}

// RunCursor is the place of a run in a list.
type RunCursor struct {
	// At is the run's time by which the list is ordered, in milliseconds.
	At  time.Time
	Run ulid.ULID
}

// RunSummary is a line of a list of runs. Times are in UTC, to the millisecond.
type RunSummary struct {
	RunID             ulid.ULID
	AppID, FunctionID uuid.UUID
	// TraceID is 32 hex digits.
	TraceID string
	// QueuedAt is the time of the ID. StartedAt is zero before the first call, EndedAt before the end.
	QueuedAt, StartedAt, EndedAt time.Time
	Status                       RunStatus
	// Events are those that started the run, by internal ID, first come first; those of a batch are all in it.
	Events []ulid.ULID
	// Batch is zero for a run without one.
	Batch ulid.ULID
	// Cron is the schedule that started the run, empty for none.
	Cron                    string
	Debounced, Deferred, AI bool
	// Output is raw, as the app gave it; it counts only when HasOutput.
	Output    []byte
	HasOutput bool
	// OriginalRunID is the first of the runs that this one repeats; zero for a run of its own.
	OriginalRunID ulid.ULID
}

// At is the run's time by which a list is ordered.
func (r RunSummary) At(by RunTime) time.Time {
	if by == ByEnded {
		return r.EndedAt
	}
	return r.QueuedAt
}

// EventList selects events; they come newest first, by internal ID. Zero fields do not select.
type EventList struct {
	Names []string
	// From and Until bound ReceivedAt, both inclusive.
	From, Until time.Time
	// Internal includes the events of the server itself, whose names begin with event.ReservedPrefix.
	Internal bool
	// Cursor is an internal ID; only smaller ones are returned. It does not matter to CountEvents.
	Cursor ulid.ULID
	// Limit is the number of events to return at most; it is positive. It does not matter to CountEvents.
	Limit int
}
