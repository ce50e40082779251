package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// Load implements ports.Store.
func (st *store) Load(ctx context.Context, id ulid.ULID) (run.State, error) {
	if ctx.Err() != nil {
		return run.State{}, context.Cause(ctx)
	}
	if s, warm := st.cache.get(id); warm {
		return s, nil
	}
	s, err := st.loadCold(ctx, id)
	if err != nil {
		return run.State{}, fmt.Errorf("load run %s: %w", id, err)
	}
	return s, nil
}

// loadCold reads a run from its rows. Several statements read it while the writer goes on, so the revision is read first
// and last: when it has changed in between, what was read is thrown away.
//
// What was read is not put into the cache. The next commit does that; until then a commit that ran meanwhile, and may have
// ended the run, could not be told from one that came before.
func (st *store) loadCold(ctx context.Context, id ulid.ULID) (run.State, error) {
	for {
		var s run.State
		var before, after int64
		err := st.db.read(ctx, func(q *db.Queries) (err error) {
			if s, err = readRun(ctx, q, id); err != nil {
				return err
			}
			before = s.Revision
			after, err = q.GetRunRevision(ctx, id[:])
			return err
		})
		if err != nil {
			return run.State{}, err
		}
		if before == after {
			return s, nil
		}
	}
}

// readRun assembles a run from its rows.
func readRun(ctx context.Context, q *db.Queries, id ulid.ULID) (run.State, error) {
	row, err := q.GetRun(ctx, id[:])
	if err != nil {
		return run.State{}, err
	}
	s := run.State{ID: id, Revision: row.Revision}
	head := &enginev1.RunHead{}
	if err := proto.Unmarshal(row.Head, head); err != nil {
		return run.State{}, damaged("head record", err)
	}
	if err := errors.Join(applyHead(&s, head), applyMeta(&s, row.Meta)); err != nil {
		return run.State{}, err
	}
	if s.Events, err = readEvents(ctx, q, id, head); err != nil {
		return run.State{}, err
	}
	steps, err := q.ListSteps(ctx, id[:])
	if err != nil {
		return run.State{}, err
	}
	if len(steps) > 0 {
		s.Stack, s.Steps = make([]string, len(steps)), make(map[string]json.RawMessage, len(steps))
	}
	for i, step := range steps {
		s.Stack[i] = step.Op
		s.Steps[step.Op] = step.Memo
	}
	jobs, err := q.ListRunJobs(ctx, id[:])
	if err != nil {
		return run.State{}, err
	}
	s.Jobs = make(map[string]run.Kind, len(jobs))
	for _, row := range jobs {
		job, err := jobFromRecord(row.Payload)
		if err != nil {
			return run.State{}, fmt.Errorf("job %s: %w", row.JobID, err)
		}
		s.Jobs[row.JobID] = job.Kind
	}
	return s, readWaits(ctx, q, &s)
}

// readWaits fills in what a run waits for, and the parts of it that have rows of their own.
func readWaits(ctx context.Context, q *db.Queries, s *run.State) error {
	pauses, err := q.ListRunPauses(ctx, s.ID[:])
	if err != nil {
		return err
	}
	if len(pauses) > 0 {
		s.Pauses = make(map[uuid.UUID]run.Pause, len(pauses))
	}
	for _, row := range pauses {
		id, err := uuid.FromBytes(row.PauseID)
		if err != nil {
			return damaged("pause", err)
		}
		if s.Pauses[id], err = pauseFromRecord(id, row.EventName, row.Body); err != nil {
			return fmt.Errorf("pause %s: %w", id, err)
		}
	}
	parts, err := q.ListRunParts(ctx, s.ID[:])
	if err != nil {
		return err
	}
	for _, row := range parts {
		if err := applyPart(s, row); err != nil {
			return err
		}
	}
	return nil
}

// readEvents fetches a run's events from wherever its head says they are.
func readEvents(ctx context.Context, q *db.Queries, id ulid.ULID, head *enginev1.RunHead) ([]event.Tracked, error) {
	events := make([]event.Tracked, len(head.GetEvents()))
	var beside []db.ListRunEventsRow
	for i, place := range head.GetEvents() {
		var err error
		switch where := place.GetPlace().(type) {
		case *enginev1.RunEvent_Embedded:
			events[i], err = eventFromRecord(where.Embedded)
		case *enginev1.RunEvent_Logged:
			var row db.GetEventRow
			if row, err = q.GetEvent(ctx, where.Logged); err == nil {
				events[i], err = eventFrom(row)
				events[i].Sessions = place.GetSessions().GetValues()
			} else if errors.Is(err, sql.ErrNoRows) {
				err = damaged("event", errors.New("its row is missing"))
			}
		default:
			if beside == nil {
				beside, err = q.ListRunEvents(ctx, id[:])
			}
			if err == nil {
				events[i], err = eventBeside(beside, i)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return events, nil
}

func eventBeside(rows []db.ListRunEventsRow, seq int) (event.Tracked, error) {
	for _, row := range rows {
		if row.Seq != int64(seq) {
			continue
		}
		record := &enginev1.Event{}
		if err := proto.Unmarshal(row.Event, record); err != nil {
			return event.Tracked{}, damaged("event record", err)
		}
		return eventFromRecord(record)
	}
	return event.Tracked{}, damaged("event", errors.New("its row is missing"))
}

// headEventIDs lists the events that started a run.
func headEventIDs(column []byte) ([]ulid.ULID, error) {
	head := &enginev1.RunHead{}
	if err := proto.Unmarshal(column, head); err != nil {
		return nil, damaged("head record", err)
	}
	var ids []ulid.ULID
	for _, place := range head.GetEvents() {
		stored := place.GetLogged()
		if embedded := place.GetEmbedded(); embedded != nil {
			stored = embedded.GetInternalId()
		}
		id, err := parseULID(stored)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
