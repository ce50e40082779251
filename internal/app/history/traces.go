package history

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// Traces returns the traces of runs, as Trace does of one. Runs of which no row tells are not in the answer. What is stored is read for all
// of them at once; besides, those in progress are asked for their jobs.
func (r *Reader) Traces(ctx context.Context, ids []ulid.ULID, preview bool) (map[ulid.ULID]*trace.Node, error) {
	rows, err := r.History.SpansOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	attached, err := r.Metadata.AllOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	slugs, err := r.slugsOf(ctx, rows, preview)
	if err != nil {
		return nil, err
	}
	traces := make(map[ulid.ULID]*trace.Node, len(rows))
	for id, own := range rows {
		live := trace.Live{Now: r.Clock.Now(), Metadata: metadata.Fold(attached[id])}
		root, ended := rootOf(own)
		if !ended {
			if live.Jobs, err = r.jobs(ctx, id); err != nil {
				return nil, err
			}
		}
		var node *trace.Node
		if preview {
			node, err = trace.Tree(own, live)
		} else {
			node, err = trace.LegacyTree(own, live, slugs[root.Function])
		}
		switch {
		case err == nil:
			traces[id] = node
		case !errors.Is(err, trace.ErrNoRoot):
			return nil, err
		}
	}
	return traces, nil
}

// slugsOf are the names of the runs' functions, as far as they are known and needed.
func (r *Reader) slugsOf(ctx context.Context, rows map[ulid.ULID][]trace.Span, preview bool) (map[uuid.UUID]string, error) {
	if preview {
		return nil, nil
	}
	var ids []uuid.UUID
	for _, own := range rows {
		if root, _ := rootOf(own); root.Name != "" {
			ids = append(ids, root.Function)
		}
	}
	found, err := r.Catalog.FunctionsByID(ctx, ids)
	slugs := make(map[uuid.UUID]string, len(found))
	for _, fn := range found {
		slugs[fn.ID] = fn.Slug
	}
	return slugs, err
}

// rootOf is the first row of the run itself, and whether a row says that the run has ended.
func rootOf(rows []trace.Span) (root trace.Span, ended bool) {
	for _, row := range rows {
		if row.Parent != trace.NoParent {
			continue
		}
		if root.Name == "" && row.Name == trace.NameRun {
			root = row
		}
		ended = ended || row.Status.Ended() || row.Status == trace.Skipped
	}
	return root, ended
}
