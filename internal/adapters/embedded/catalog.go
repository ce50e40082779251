package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// catalog keeps apps and functions in the reference's tables. Rows are archived, never deleted. Spec 15 §6.
type catalog struct {
	db     *database
	writer *writer
	clock  ports.Clock
}

var _ ports.Catalog = catalog{}

// Functions implements ports.Catalog.
func (c catalog) Functions(ctx context.Context) ([]function.Function, error) {
	var all []function.Function
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListFunctions(ctx)
		if err != nil {
			return err
		}
		all, err = each(rows, functionFrom)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	return all, nil
}

// Function implements ports.Catalog.
func (c catalog) Function(ctx context.Context, id uuid.UUID) (function.Function, error) {
	var found function.Function
	err := c.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetFunction(ctx, id.String())
		if err != nil {
			return err
		}
		found, err = functionFrom(row)
		return err
	})
	if err != nil {
		return function.Function{}, fmt.Errorf("function %s: %w", id, err)
	}
	return found, nil
}

// FunctionsByID implements ports.Catalog.
func (c catalog) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	return readByID(ctx, c.db, ids, (*db.Queries).ListFunctionsByID, functionFrom)
}

// AppsByID implements ports.Catalog.
func (c catalog) AppsByID(ctx context.Context, ids []uuid.UUID) ([]function.App, error) {
	return readByID(ctx, c.db, ids, (*db.Queries).ListAppsByID, appFrom)
}

// readByID reads what has one of the IDs, in as few queries as the number of parameters allows.
func readByID[Row, Value any](ctx context.Context, d *database, ids []uuid.UUID, list func(*db.Queries, context.Context, []string) ([]Row, error), convert func(Row) (Value, error)) ([]Value, error) {
	var all []Value
	err := d.read(ctx, func(q *db.Queries) error {
		all = nil
		for some := range slices.Chunk(ids, maxParameters) {
			texts := make([]string, len(some))
			for i, id := range some {
				texts[i] = id.String()
			}
			rows, err := list(q, ctx, texts)
			if err != nil {
				return err
			}
			values, err := each(rows, convert)
			if err != nil {
				return err
			}
			all = append(all, values...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %d by ID: %w", len(ids), err)
	}
	return all, nil
}

// maxParameters is how many IDs one statement asks for. SQLite takes 32,766.
const maxParameters = 1000

// Apps implements ports.Catalog.
func (c catalog) Apps(ctx context.Context) ([]function.App, error) {
	var all []function.App
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListApps(ctx)
		if err != nil {
			return err
		}
		all, err = each(rows, appFrom)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list apps: %w", err)
	}
	return all, nil
}

// AppByName implements ports.Catalog.
func (c catalog) AppByName(ctx context.Context, name string) (function.App, []function.Function, error) {
	var app function.App
	var functions []function.Function
	err := c.db.read(ctx, func(q *db.Queries) error {
		if name == "" {
			return ports.ErrNotFound // placeholders have no name
		}
		row, err := q.GetAppByName(ctx, name)
		if err != nil {
			return err
		}
		if app, err = appFrom(row); err != nil {
			return err
		}
		rows, err := q.ListAppFunctions(ctx, sql.NullString{String: row.ID, Valid: true})
		if err != nil {
			return err
		}
		functions, err = each(rows, functionFrom)
		return err
	})
	if err != nil {
		return function.App{}, nil, fmt.Errorf("app %q: %w", name, err)
	}
	return app, functions, nil
}

// FunctionTimes implements ports.Catalog.
func (c catalog) FunctionTimes(ctx context.Context, app uuid.UUID) (map[uuid.UUID]time.Time, error) {
	times := map[uuid.UUID]time.Time{}
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListAppFunctions(ctx, sql.NullString{String: app.String(), Valid: true})
		if err != nil {
			return err
		}
		for _, row := range rows {
			id, err := parseUUID(row.ID)
			if err != nil {
				return damaged("function "+row.ID, err)
			}
			if times[id], err = parseInstant(row.CreatedAt); err != nil {
				return damaged("function "+row.ID+": time", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("times of functions of app %s: %w", app, err)
	}
	return times, nil
}

// AppByURL implements ports.Catalog.
func (c catalog) AppByURL(ctx context.Context, url string) (function.App, error) {
	var app function.App
	err := c.db.read(ctx, func(q *db.Queries) error {
		row, err := q.GetAppByURL(ctx, url)
		if err != nil {
			return err
		}
		app, err = appFrom(row)
		return err
	})
	if err != nil {
		return function.App{}, fmt.Errorf("app at %q: %w", url, err)
	}
	return app, nil
}

// Sync implements ports.Catalog. Functions are archived before others are written, so that a slug can move from one
// function to another. A slug that stays with two, or a name that another app than the adopted one has, is ErrConflict.
func (c catalog) Sync(ctx context.Context, plan function.SyncPlan) error {
	if plan.Empty() {
		return nil
	}
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		for _, id := range plan.DropPlaceholders {
			if err := q.DeleteAppTicks(ctx, sql.NullString{String: id.String(), Valid: true}); err != nil {
				return err
			}
			if _, err := q.ArchiveApp(ctx, id.String()); err != nil {
				return err
			}
		}
		params := appParams(plan.App)
		var err error
		if plan.Adopt || plan.App.Name == "" {
			err = q.UpsertAppByID(ctx, db.UpsertAppByIDParams(params))
		} else {
			err = q.UpsertAppByName(ctx, params)
		}
		if err != nil {
			return err
		}
		for _, id := range plan.Archive {
			if err := q.ArchiveFunction(ctx, id.String()); err != nil {
				return err
			}
			if err := q.DeleteFunctionTicks(ctx, id.String()); err != nil {
				return err
			}
		}
		for _, f := range plan.Put {
			if err := c.put(ctx, q, f); err != nil {
				return fmt.Errorf("function %s: %w", f.Slug, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sync app %s: %w", plan.App.ID, err)
	}
	return nil
}

func (c catalog) put(ctx context.Context, q *db.Queries, f function.Function) error {
	config := f.Config
	if len(config) == 0 {
		config = function.Encode(f)
	}
	err := q.UpsertFunction(ctx, db.UpsertFunctionParams{
		ID: f.ID.String(), AppID: sql.NullString{String: f.AppID.String(), Valid: true}, Name: f.Name, Slug: f.Slug,
		Config: string(config), CreatedAt: formatInstant(c.clock.Now()),
	})
	if err != nil {
		return err
	}
	return c.followTriggers(ctx, q, f)
}

// PutPlaceholder implements ports.Catalog.
func (c catalog) PutPlaceholder(ctx context.Context, app function.App) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		_, err := q.GetAppByURL(ctx, app.URL)
		if err == nil {
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return q.UpsertAppByID(ctx, db.UpsertAppByIDParams(appParams(app)))
	})
	if err != nil {
		return fmt.Errorf("put app at %q: %w", app.URL, err)
	}
	return nil
}

// SetAppError implements ports.Catalog; ErrNotFound when there is no app with the ID.
func (c catalog) SetAppError(ctx context.Context, id uuid.UUID, message string) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		return found(q.SetAppError(ctx, db.SetAppErrorParams{Error: nullable(message), ID: id.String()}))
	})
	if err != nil {
		return fmt.Errorf("set error of app %s: %w", id, err)
	}
	return nil
}

// SetAppURL implements ports.Catalog.
func (c catalog) SetAppURL(ctx context.Context, id uuid.UUID, url string) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		return found(q.SetAppURL(ctx, db.SetAppURLParams{Url: url, ID: id.String()}))
	})
	if err != nil {
		return fmt.Errorf("set URL of app %s: %w", id, err)
	}
	return nil
}

// RemoveApp implements ports.Catalog; ErrNotFound when there is no app with the ID.
func (c catalog) RemoveApp(ctx context.Context, id uuid.UUID) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := found(q.ArchiveApp(ctx, id.String())); err != nil {
			return err
		}
		if err := q.DeleteAppTicks(ctx, sql.NullString{String: id.String(), Valid: true}); err != nil {
			return err
		}
		return q.ArchiveAppFunctions(ctx, sql.NullString{String: id.String(), Valid: true})
	})
	if err != nil {
		return fmt.Errorf("remove app %s: %w", id, err)
	}
	return nil
}

// SetPaused implements ports.Catalog.
func (c catalog) SetPaused(ctx context.Context, id uuid.UUID, paused bool) error {
	err := c.writer.change(ctx, func(ctx context.Context, q *db.Queries) error {
		if paused {
			return q.PauseFunction(ctx, id[:])
		}
		return q.ResumeFunction(ctx, id[:])
	})
	if err != nil {
		return fmt.Errorf("set pause of function %s: %w", id, err)
	}
	return nil
}

// PausedFunctions implements ports.Catalog.
func (c catalog) PausedFunctions(ctx context.Context) ([]uuid.UUID, error) {
	var paused []uuid.UUID
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListPausedFunctions(ctx)
		if err != nil {
			return err
		}
		paused, err = each(rows, uuid.FromBytes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list paused functions: %w", err)
	}
	return paused, nil
}

// found turns a change of no row into ErrNotFound.
func found(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ports.ErrNotFound
	}
	return err
}

// each converts rows.
func each[Row, Value any](rows []Row, convert func(Row) (Value, error)) ([]Value, error) {
	values := make([]Value, 0, len(rows))
	for _, row := range rows {
		value, err := convert(row)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
