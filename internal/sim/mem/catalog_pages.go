package mem

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

// appTimes are when an app was stored and archived.
type appTimes struct{ created, archived time.Time }

// AppPage implements ports.Catalog.
func (b *Backend) AppPage(ctx context.Context, q ports.AppQuery) ([]ports.AppRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var page []ports.AppRecord
	for id, a := range b.apps {
		if a.Archived == q.Archived && bytes.Compare(id[:], q.After[:]) > 0 {
			page = append(page, b.appRecord(*a))
		}
	}
	slices.SortFunc(page, func(a, b ports.AppRecord) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return page[:min(len(page), q.Limit)], nil
}

// FunctionPage implements ports.Catalog.
func (b *Backend) FunctionPage(ctx context.Context, q ports.FunctionQuery) ([]function.Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var page []function.Function
	for id, f := range b.funcs {
		if f.AppID == q.App && !f.archived && bytes.Compare(id[:], q.After[:]) > 0 {
			page = append(page, f.Function)
		}
	}
	slices.SortFunc(page, func(a, b function.Function) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return page[:min(len(page), q.Limit)], nil
}

func (b *Backend) appRecord(app function.App) ports.AppRecord {
	record := ports.AppRecord{App: app, CreatedAt: b.appTimes[app.ID].created, ArchivedAt: b.appTimes[app.ID].archived}
	for _, f := range b.funcs {
		if f.AppID == app.ID && !f.archived {
			record.Functions++
		}
	}
	return record
}
