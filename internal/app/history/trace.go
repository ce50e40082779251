package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Trace returns the trace of a run, in the new shape when preview is set, else in the legacy one. *NotFoundError: no row tells of the run.
func (r *Reader) Trace(ctx context.Context, id ulid.ULID, preview bool) (*trace.Node, error) {
	rows, err := r.History.Spans(ctx, id)
	if err != nil {
		return nil, err
	}
	live, err := r.live(ctx, id)
	if err != nil {
		return nil, err
	}
	var root *trace.Node
	if preview {
		root, err = trace.Tree(rows, live)
	} else {
		root, err = trace.LegacyTree(rows, live, r.slugOf(ctx, rows))
	}
	if errors.Is(err, trace.ErrNoRoot) {
		return nil, &NotFoundError{"trace of run", id}
	}
	return root, err
}

// slugOf is the name of a run's function; empty when it is not known any more.
func (r *Reader) slugOf(ctx context.Context, rows []trace.Span) string {
	for _, row := range rows {
		if row.Name != trace.NameRun {
			continue
		}
		if f, err := ports.One(r.Catalog.FunctionsByID(ctx, []uuid.UUID{row.Function})); err == nil {
			return f.Slug
		}
	}
	return ""
}

// live is what is known of a run besides its rows.
func (r *Reader) live(ctx context.Context, id ulid.ULID) (trace.Live, error) {
	live := trace.Live{Now: r.Clock.Now()}
	stored, err := r.Metadata.All(ctx, id)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return live, err
	}
	live.Metadata = metadata.Fold(stored)
	live.Jobs, err = r.jobs(ctx, id)
	return live, err
}

// jobs are those of a run in progress that call the app or work for it.
func (r *Reader) jobs(ctx context.Context, id ulid.ULID) ([]trace.LiveJob, error) {
	state, err := r.Store.Load(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for job, kind := range state.Jobs {
		switch kind {
		case run.KindStart, run.KindEdge, run.KindEdgeError, run.KindGateway, run.KindSleep:
			ids = append(ids, job)
		case run.KindPause, run.KindCancel:
		}
	}
	slices.Sort(ids)
	jobs, err := r.Queue.Jobs(ctx, id, ids)
	if err != nil {
		return nil, fmt.Errorf("jobs of run %s: %w", id, err)
	}
	var live []trace.LiveJob
	for _, job := range jobs {
		one := trace.LiveJob{
			ID: job.ID, Step: job.Edge.Target, Name: job.Edge.TargetName, Gateway: job.Kind == run.KindGateway, Attempt: job.Attempt,
			At: job.At, Since: job.Since,
		}
		if job.Kind == run.KindSleep { // when it is over, its job makes the call that finds out what is next
			one.Name = ""
		}
		live = append(live, one)
	}
	return live, nil
}

// Links are the runs that a run was to start when it ended, and those that started it when they ended.
type Links struct {
	Deferred []trace.Deferred
	Parents  trace.Parents
}

// Links returns the runs that a run is linked to.
func (r *Reader) Links(ctx context.Context, id ulid.ULID) (Links, error) {
	rows, err := r.History.Spans(ctx, id)
	if err != nil {
		return Links{}, err
	}
	var l Links
	l.Deferred, l.Parents = trace.Links(rows)
	return l, nil
}
