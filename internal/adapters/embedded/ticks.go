package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// Ticks implements ports.Catalog.
func (c catalog) Ticks(ctx context.Context, function uuid.UUID) ([]ports.Tick, error) {
	var ticks []ports.Tick
	err := c.db.read(ctx, func(q *db.Queries) (err error) {
		var rows []db.IngotTick
		if function == uuid.Nil {
			rows, err = q.ListTicks(ctx)
		} else {
			rows, err = q.ListFunctionTicks(ctx, function.String())
		}
		if err != nil {
			return err
		}
		ticks = make([]ports.Tick, 0, len(rows))
		for _, row := range rows {
			id, err := uuid.Parse(row.FunctionID)
			if err != nil {
				c.writer.logger.ErrorContext(ctx, "unreadable row of a schedule", "fn_id", row.FunctionID, "error", err)
				continue
			}
			ticks = append(ticks, ports.Tick{FunctionID: id, Expression: row.Expression, At: fromNanos(row.DealtUntil)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list ticks: %w", err)
	}
	return ticks, nil
}

// ticksAre says whether schedules are where the caller thinks. It writes nothing.
func ticksAre(t *tx, ticks []ports.Tick) (bool, error) {
	for _, tick := range ticks {
		found, done, err := t.row(t.statements.getTick, tick.FunctionID.String(), tick.Expression)
		if err != nil {
			return false, err
		}
		var at int64
		if found {
			at = t.statements.getTick.ColumnInt64(0)
		}
		done()
		if at != nanos(tick.Previous) {
			return false, nil
		}
	}
	return true, nil
}

func moveTicks(t *tx, ticks []ports.Tick) error {
	for _, tick := range ticks {
		var err error
		if tick.At.IsZero() {
			_, err = t.exec(t.statements.deleteTick, tick.FunctionID.String(), tick.Expression)
		} else {
			_, err = t.exec(t.statements.putTick, tick.FunctionID.String(), tick.Expression, nanos(tick.At))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followTriggers makes the schedules of a function those that its triggers name.
func (c catalog) followTriggers(ctx context.Context, q *db.Queries, f function.Function) error {
	id, named := f.ID.String(), f.Schedules()
	rows, err := q.ListFunctionTicks(ctx, id)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !slices.Contains(named, row.Expression) {
			if err := q.DeleteTick(ctx, db.DeleteTickParams{FunctionID: id, Expression: row.Expression}); err != nil {
				return err
			}
		}
	}
	for _, expression := range named {
		if err := q.AddTick(ctx, db.AddTickParams{FunctionID: id, Expression: expression, DealtUntil: nanos(c.clock.Now())}); err != nil {
			return err
		}
	}
	return nil
}
