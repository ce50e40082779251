package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// Steps implements ports.History.
func (h history) Steps(ctx context.Context, id ulid.ULID) ([]run.Step, error) {
	var steps []run.Step
	err := h.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListNamedSteps(ctx, id[:])
		if err != nil {
			return err
		}
		steps = make([]run.Step, len(rows))
		for i, row := range rows {
			steps[i] = run.Step{ID: row.Op, Memo: row.Memo, Name: row.Name, Op: sdk.Opcode(row.Kind)}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("steps of run %s: %w", id, err)
	}
	return steps, nil
}

// Origin implements ports.History.
func (h history) Origin(ctx context.Context, id ulid.ULID) (ports.Origin, error) {
	var origin ports.Origin
	err := h.db.read(ctx, func(q *db.Queries) error {
		head, err := readHead(ctx, q, id)
		if err != nil {
			return err
		}
		if head == nil {
			origin.Events, err = firstEvent(ctx, q, id)
			return err
		}
		origin.Endpoint = endpointFrom(head)
		origin.Events, err = readEvents(ctx, q, id, head)
		return err
	})
	if err != nil {
		return ports.Origin{}, fmt.Errorf("origin of run %s: %w", id, err)
	}
	return origin, nil
}

// readHead returns the head of a run in progress or of one that has ended; nil when none is kept.
func readHead(ctx context.Context, q *db.Queries, id ulid.ULID) (*enginev1.RunHead, error) {
	var column []byte
	row, err := q.GetRun(ctx, id[:])
	column = row.Head
	if errors.Is(err, sql.ErrNoRows) {
		var ended db.GetEndedRunRow
		ended, err = q.GetEndedRun(ctx, id[:])
		column = ended.Head
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head := &enginev1.RunHead{}
	if err := proto.Unmarshal(column, head); err != nil {
		return nil, damaged("head record", err)
	}
	return head, nil
}

// firstEvent is the event that history names for a run.
func firstEvent(ctx context.Context, q *db.Queries, id ulid.ULID) ([]event.Tracked, error) {
	record, err := q.GetRunRecord(ctx, id[:])
	if err != nil {
		return nil, err
	}
	row, err := q.GetEvent(ctx, record.EventID)
	if err != nil {
		return nil, err
	}
	first, err := eventFrom(row)
	if err != nil {
		return nil, err
	}
	return []event.Tracked{first}, nil
}

// Response implements ports.History.
func (h history) Response(ctx context.Context, id ulid.ULID) (*sdk.HTTPResult, error) {
	var response *sdk.HTTPResult
	err := h.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetEndedRun(ctx, id[:])
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		response, err = responseFromRecord(row.Response)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("response of run %s: %w", id, err)
	}
	return response, nil
}
