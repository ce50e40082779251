package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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

// FunctionsByID implements ports.Catalog.
func (c catalog) FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error) {
	return readByID(ctx, c.db, ids, func(q *db.Queries, ids []string) ([]function.Function, error) {
		rows, err := q.ListFunctionsByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		return each(rows, functionFrom)
	})
}

// AppsByID implements ports.Catalog.
func (c catalog) AppsByID(ctx context.Context, ids []uuid.UUID) ([]ports.AppRecord, error) {
	return readByID(ctx, c.db, ids, func(q *db.Queries, ids []string) ([]ports.AppRecord, error) {
		rows, err := q.ListAppsByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		return each(rows, func(row db.App) (ports.AppRecord, error) { return appRecord(ctx, q, row) })
	})
}

// readByID reads what has one of the IDs, in as few queries as the number of parameters allows.
func readByID[Value any](ctx context.Context, d *database, ids []uuid.UUID, list func(*db.Queries, []string) ([]Value, error)) ([]Value, error) {
	var all []Value
	err := d.read(ctx, func(q *db.Queries) error {
		all = nil
		for some := range slices.Chunk(ids, maxParameters) {
			texts := make([]string, len(some))
			for i, id := range some {
				texts[i] = id.String()
			}
			values, err := list(q, texts)
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
func (c catalog) AppByName(ctx context.Context, name string) (ports.AppRecord, error) {
	var record ports.AppRecord
	err := c.db.read(ctx, func(q *db.Queries) error {
		if name == "" {
			return ports.ErrNotFound // placeholders have no name
		}
		row, err := q.GetAppByName(ctx, name)
		if err != nil {
			return err
		}
		record, err = appRecord(ctx, q, row)
		return err
	})
	if err != nil {
		return ports.AppRecord{}, fmt.Errorf("app %q: %w", name, err)
	}
	return record, nil
}

// FunctionsOf implements ports.Catalog.
func (c catalog) FunctionsOf(ctx context.Context, app uuid.UUID) ([]ports.FunctionRecord, error) {
	var functions []ports.FunctionRecord
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListAppFunctions(ctx, sql.NullString{String: app.String(), Valid: true})
		if err != nil {
			return err
		}
		functions, err = each(rows, functionRecord)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list functions of app %s: %w", app, err)
	}
	return functions, nil
}

func functionRecord(row db.Function) (ports.FunctionRecord, error) {
	fn, err := functionFrom(row)
	if err != nil {
		return ports.FunctionRecord{}, err
	}
	created, err := parseInstant(row.CreatedAt)
	if err != nil {
		return ports.FunctionRecord{}, damaged("function "+row.ID+": time", err)
	}
	return ports.FunctionRecord{Function: fn, CreatedAt: created}, nil
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
