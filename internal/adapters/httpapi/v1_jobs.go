package httpapi

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// jobAnswer is a job of a run as REST shows it. Spec 04 §7.2.
type jobAnswer struct {
	JobID string    `json:"JobID"`
	At    time.Time `json:"at"`
	// Position is how many jobs of the function come before it where it waits; 0 for one that is in hand or not due.
	Position int      `json:"position"`
	Kind     run.Kind `json:"kind"`
	Attempt  int      `json:"attempt"`
	Raw      rawJob   `json:"Raw"`
}

// rawJob is of the reference's queue item what means something here, and why the job waits. Times are milliseconds since the epoch.
type rawJob struct {
	ID         string     `json:"id"`
	At         int64      `json:"at"`
	WallTime   int64      `json:"wt"`
	FunctionID uuid.UUID  `json:"wfID"`
	EnvID      uuid.UUID  `json:"wsID"`
	Data       rawJobData `json:"data"`
	// Reason is why it waits, Limit the kind of limit that keeps it back.
	Reason flow.Reason `json:"reason"`
	Limit  string      `json:"limit,omitempty"`
	// Expected is when its wait is over, as far as that can be said.
	Expected *time.Time `json:"expected,omitempty"`
}

type rawJobData struct {
	EnvID      uuid.UUID  `json:"wsID"`
	Kind       run.Kind   `json:"kind"`
	Identifier rawJobOfID `json:"identifier"`
	Attempt    int        `json:"atts"`
}

// rawJobOfID says what a job is of.
type rawJobOfID struct {
	RunID           ulid.ULID   `json:"runID"`
	FunctionID      uuid.UUID   `json:"wID"`
	FunctionVersion int         `json:"wv"`
	EventID         ulid.ULID   `json:"evtID"`
	EventIDs        []ulid.ULID `json:"eventIDs"`
	AccountID       uuid.UUID   `json:"aID"`
	EnvID           uuid.UUID   `json:"wsID"`
	AppID           uuid.UUID   `json:"appID"`
}

// runJobs is GET /v1/runs/{id}/jobs: all jobs of a run in progress that the queue has, those that are due first in front. A run that
// has ended has none.
func (a *api) runJobs(c echo.Context) error {
	id, ok := idParam(c, "run")
	if !ok {
		return nil
	}
	ctx := c.Request().Context()
	if _, err := a.History.Run(ctx, id); err != nil {
		a.runNotLoaded(c, id, err)
		return nil
	}
	answer := []jobAnswer{}
	state, err := a.Store.Load(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return a.writeData(c, answer)
	}
	var waiting []ports.JobWaiting
	if err == nil {
		waiting, err = a.Queue.Waiting(ctx, id, slices.Collect(maps.Keys(state.Jobs)))
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "read jobs of run", "run_id", id.String(), "error", err)
		writeError(c, http.StatusInternalServerError, "", "Unable to read run jobs: the run store is unavailable")
		return nil
	}
	for _, job := range waiting {
		answer = append(answer, answerJob(state, job))
	}
	slices.SortFunc(answer, func(x, y jobAnswer) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.JobID, y.JobID)) })
	return a.writeData(c, answer)
}

func answerJob(state run.State, job ports.JobWaiting) jobAnswer {
	at := job.At
	if job.Reason == flow.DueLater {
		at = job.Expected
	}
	answer := jobAnswer{JobID: job.ID, At: at, Position: job.Ahead, Kind: job.Kind, Attempt: job.Attempt, Raw: rawJob{
		ID: job.ID, At: at.UnixMilli(), WallTime: at.UnixMilli(), FunctionID: state.FunctionID, EnvID: ids.EnvID(), Reason: job.Reason,
		Data: rawJobData{EnvID: ids.EnvID(), Kind: job.Kind, Attempt: job.Attempt, Identifier: rawJobOfID{
			RunID: state.ID, FunctionID: state.FunctionID, FunctionVersion: state.FunctionVersion, EventID: state.Events[0].InternalID,
			AccountID: ids.AccountID(), EnvID: ids.EnvID(), AppID: state.AppID,
		}},
	}}
	for _, e := range state.Events {
		answer.Raw.Data.Identifier.EventIDs = append(answer.Raw.Data.Identifier.EventIDs, e.InternalID)
	}
	if job.Limit != nil {
		answer.Raw.Limit = job.Limit.Kind.String()
	}
	if !job.Expected.IsZero() {
		answer.Raw.Expected = &job.Expected
	}
	return answer
}
