package mem

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// begin notes what a new run begins with.
func (b *Backend) begin(r ports.NewRun) {
	b.begun[r.State.ID] = r.State
	for _, id := range r.State.Stack {
		step := run.Step{ID: id, Memo: r.State.Steps[id]}
		if at := slices.IndexFunc(r.Steps, func(s run.Step) bool { return s.ID == id }); at >= 0 {
			step.Name, step.Op = r.Steps[at].Name, r.Steps[at].Op
		}
		b.memos[r.State.ID] = append(b.memos[r.State.ID], step)
	}
}

// Steps implements ports.History.
func (b *Backend) Steps(ctx context.Context, id ulid.ULID) ([]run.Step, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.memos[id]), nil
}

// Origin implements ports.History.
func (b *Backend) Origin(ctx context.Context, id ulid.ULID) (ports.Origin, error) {
	if err := ctx.Err(); err != nil {
		return ports.Origin{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	state, ok := b.begun[id]
	if !ok {
		return ports.Origin{}, ports.ErrNotFound
	}
	return ports.Origin{Events: state.Events, Endpoint: state.Endpoint}, nil
}

// Response implements ports.History.
func (b *Backend) Response(ctx context.Context, id ulid.ULID) (*sdk.HTTPResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers[id], nil
}
