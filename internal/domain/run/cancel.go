package run

import (
	"slices"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// CancelOn is an event that cancels runs of a function.
type CancelOn struct {
	// Event is the event's name; If the condition on it, empty for none.
	Event, If string
	// Template is If, compiled. Nil is fine, and makes each run compile what it needs.
	Template *expr.Template
	// Timeout is how long after its start a run can be cancelled so: a duration or a date, empty for a year.
	Timeout string
}

// Timeouts cancel a run that has not started, or not ended, in time; zero is no timeout.
type Timeouts struct {
	// Start is measured from when the run was scheduled, Finish from its first call.
	Start, Finish time.Duration
}

// cancelPauses are the pauses by which events cancel the run. An entry whose condition can never hold has none. A
// timeout that cannot be read counts as absent, so that the run can be cancelled; none is longer than a year. Entries that
// differ in nothing but the timeout share a pause, which lasts as long as the longest of them. Spec 12 §8.1, 02 §22 #26.
func (s State) cancelPauses(entries []CancelOn, now time.Time) []Pause {
	var pauses []Pause
	for _, entry := range entries {
		expires := now.Add(longWait)
		if at, err := sdk.WaitUntil(entry.Timeout, now); err == nil && entry.Timeout != "" {
			expires = at
		}
		condition := entry.If
		if condition != "" {
			if interpolated, err := entry.interpolate(s.Events[0].Event); err == nil {
				condition = interpolated
			}
		}
		if condition == "false" {
			continue
		}
		pause := Pause{
			ID: ids.CancelPauseID(s.Idempotency, entry.Event, condition), Kind: PauseCancel, Event: entry.Event, Expression: condition,
			Ignore: s.Events[0].InternalID, CreatedAt: now, Expires: expires,
		}
		same := slices.IndexFunc(pauses, func(p Pause) bool { return p.ID == pause.ID })
		switch {
		case same < 0:
			pauses = append(pauses, pause)
		case expires.After(pauses[same].Expires):
			pauses[same] = pause
		}
	}
	return pauses
}

// interpolate is the condition with what the run's event decides put in.
func (c CancelOn) interpolate(e event.Event) (string, error) {
	if c.Template != nil {
		return c.Template.Interpolate(e)
	}
	return expr.Interpolate(c.If, e)
}

// cancelled ends the run as cancelled.
func (s State) cancelled(now time.Time) Transition {
	t := s.unchanged(FateNone)
	s.finish(&t, outcome{status: Cancelled}, now)
	return t
}

// startTimeout is the job that cancels a run which has not started in time.
func (s State) startTimeout() Job {
	at := time.UnixMilli(int64(s.ID.Time())).UTC().Add(s.Timeouts.Start)
	return s.child(Job{}, ids.StartTimeoutJob(s.key()), KindCancel, at)
}

// finishTimeout is the job that cancels a run which has not ended in time, counted from its first call.
func (s State) finishTimeout(started time.Time) Job {
	return s.child(Job{}, ids.FinishTimeoutJob(s.key()), KindCancel, started.Add(s.Timeouts.Finish))
}

// overdue reports whether one of the run's timeouts has passed.
func (s State) overdue(now time.Time) bool {
	scheduled := time.UnixMilli(int64(s.ID.Time())).UTC()
	switch {
	case s.StartedAt.IsZero():
		return s.Timeouts.Start > 0 && now.Sub(scheduled) > s.Timeouts.Start
	default:
		return s.Timeouts.Finish > 0 && now.Sub(s.StartedAt) > s.Timeouts.Finish
	}
}

// timeoutDue decides what the job of a timeout means: the run is cancelled if it is overdue, otherwise the job is done.
func (s State) timeoutDue(in Due) Transition {
	if s.overdue(in.Now.Add(time.Millisecond)) {
		t := s.cancelled(in.Now)
		t.Current.Fate = FateDone
		return t
	}
	return s.unchanged(FateDone)
}
