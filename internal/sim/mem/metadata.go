package mem

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/ports"
)

// attachments is the backend as the port of metadata.
type attachments struct{ *Backend }

// Put implements ports.Metadata.
func (a attachments) Put(ctx context.Context, run ulid.ULID, updates []metadata.Update) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return ports.ErrClosed
	case a.record(run).RunID != run:
		return ports.ErrNotFound
	}
	if _, err := metadata.Admit(a.attachedBytes(run), updates); err != nil {
		return err
	}
	a.attach(run, updates)
	return nil
}

// All implements ports.Metadata.
func (a attachments) All(ctx context.Context, run ulid.ULID) ([]metadata.Stored, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.record(run).RunID != run {
		return nil, ports.ErrNotFound
	}
	return slices.Clone(a.attached[run]), nil
}

// AllOf implements ports.Metadata.
func (a attachments) AllOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID][]metadata.Stored, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[ulid.ULID][]metadata.Stored{}
	for _, run := range runs {
		if stored := a.attached[run]; len(stored) > 0 {
			all[run] = slices.Clone(stored)
		}
	}
	return all, nil
}

func (b *Backend) attach(run ulid.ULID, updates []metadata.Update) {
	for _, update := range updates {
		b.attached[run] = append(b.attached[run], metadata.Stored{Update: update, At: b.clock.Now()})
	}
}

func (b *Backend) attachedBytes(run ulid.ULID) int {
	total := 0
	for _, update := range b.attached[run] {
		total += update.Cost()
	}
	return total
}
