package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// AppPage implements ports.Catalog.
func (c catalog) AppPage(ctx context.Context, query ports.AppQuery) ([]ports.AppRecord, error) {
	var page []ports.AppRecord
	err := c.db.read(ctx, func(q *db.Queries) error {
		var rows []db.App
		var err error
		if query.Archived {
			rows, err = q.ListArchivedAppPage(ctx, db.ListArchivedAppPageParams{ID: query.After.String(), Limit: int64(query.Limit)})
		} else {
			rows, err = q.ListActiveAppPage(ctx, db.ListActiveAppPageParams{ID: query.After.String(), Limit: int64(query.Limit)})
		}
		if err != nil {
			return err
		}
		page, err = each(rows, func(row db.App) (ports.AppRecord, error) { return appRecord(ctx, q, row) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list apps: %w", err)
	}
	return page, nil
}

// FunctionPage implements ports.Catalog.
func (c catalog) FunctionPage(ctx context.Context, query ports.FunctionQuery) ([]function.Function, error) {
	var page []function.Function
	err := c.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListAppFunctionPage(ctx, db.ListAppFunctionPageParams{
			AppID: sql.NullString{String: query.App.String(), Valid: true}, ID: query.After.String(), Limit: int64(query.Limit),
		})
		if err != nil {
			return err
		}
		page, err = each(rows, functionFrom)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list functions of app %s: %w", query.App, err)
	}
	return page, nil
}

// appRecord reads a row of apps and counts its functions.
func appRecord(ctx context.Context, q *db.Queries, row db.App) (ports.AppRecord, error) {
	app, err := appFrom(row)
	if err != nil {
		return ports.AppRecord{}, err
	}
	record := ports.AppRecord{App: app}
	instants := []struct {
		name, text string
		at         *time.Time
	}{{"created_at", row.CreatedAt, &record.CreatedAt}, {"archived_at", row.ArchivedAt.String, &record.ArchivedAt}}
	for _, instant := range instants {
		if instant.text == "" {
			continue
		}
		if *instant.at, err = parseInstant(instant.text); err != nil {
			return ports.AppRecord{}, damaged("app "+row.ID+": "+instant.name, err)
		}
	}
	count, err := q.CountAppFunctions(ctx, sql.NullString{String: row.ID, Valid: true})
	record.Functions = int(count)
	return record, err
}
