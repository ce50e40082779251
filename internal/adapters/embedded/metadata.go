package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// attachments keeps what is attached to runs and steps: a row for each update, with what the run has used of its room up to
// there, so that the next one needs to look at the last only.
type attachments struct {
	writer *writer
	db     *database
}

var _ ports.Metadata = attachments{}

// Put implements ports.Metadata.
func (a attachments) Put(ctx context.Context, run ulid.ULID, updates []metadata.Update) error {
	planned := planMetadata(updates)
	err := a.writer.do(ctx, &operation{
		size: planned.size,
		apply: func(t *tx) error {
			exists, err := runExists(t, run)
			if err != nil {
				return err
			}
			if !exists {
				return t.refuse(ports.ErrNotFound)
			}
			last, err := lastMetadata(t, run)
			if err != nil {
				return err
			}
			if _, err := metadata.Admit(last.total, updates); err != nil {
				return t.refuse(err)
			}
			return planned.write(t, run, last, a.writer.now().UnixNano())
		},
	})
	if err != nil {
		return fmt.Errorf("put metadata of run %s: %w", run, err)
	}
	return nil
}

// All implements ports.Metadata.
func (a attachments) All(ctx context.Context, run ulid.ULID) ([]metadata.Stored, error) {
	var all []metadata.Stored
	err := a.db.read(ctx, func(q *db.Queries) error {
		rows, err := q.ListMetadata(ctx, run[:])
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			exists, err := q.RunExists(ctx, run[:])
			if err == nil && !exists {
				err = ports.ErrNotFound
			}
			return err
		}
		all, err = each(rows, storedMetadata)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("metadata of run %s: %w", run, err)
	}
	return all, nil
}

// AllOf implements ports.Metadata.
func (a attachments) AllOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID][]metadata.Stored, error) {
	all := map[ulid.ULID][]metadata.Stored{}
	err := a.db.read(ctx, func(q *db.Queries) error {
		clear(all)
		for some := range slices.Chunk(runs, maxParameters) {
			keys := make([][]byte, len(some))
			for i, run := range some {
				keys[i] = run[:]
			}
			rows, err := q.ListMetadataOf(ctx, keys)
			if err != nil {
				return err
			}
			for _, row := range rows {
				stored, err := storedMetadata(db.ListMetadataRow{
					StepID: row.StepID, Attempt: row.Attempt, SpanID: row.SpanID, Kind: row.Kind, Op: row.Op, Body: row.Body, StoredAt: row.StoredAt,
				})
				if err != nil {
					return err
				}
				run := ulid.ULID(row.RunID)
				all[run] = append(all[run], stored)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("metadata of %d runs: %w", len(runs), err)
	}
	return all, nil
}

func storedMetadata(row db.ListMetadataRow) (metadata.Stored, error) {
	stored := metadata.Stored{
		Update: metadata.Update{
			Target: metadata.Target{StepID: row.StepID, Attempt: int(row.Attempt), SpanID: row.SpanID}, Kind: row.Kind, Op: metadata.Op(row.Op),
		},
		At: fromNanos(row.StoredAt),
	}
	if err := json.Unmarshal(row.Body, &stored.Values); err != nil {
		return stored, damaged("metadata", err)
	}
	return stored, nil
}

// plannedMetadata is updates to be written, with their bodies.
type plannedMetadata struct {
	updates []metadata.Update
	bodies  [][]byte
	size    int
}

func planMetadata(updates []metadata.Update) plannedMetadata {
	p := plannedMetadata{updates: updates, bodies: make([][]byte, len(updates))}
	for i, update := range updates {
		p.bodies[i] = valuesBody(update.Values)
		p.size += 120 + len(update.Kind) + len(p.bodies[i])
	}
	return p
}

// valuesBody writes values as one object, each as it was sent. The standard encoder would change them.
func valuesBody(values metadata.Values) []byte {
	body := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			body = append(body, ',')
		}
		quoted, _ := json.Marshal(name) // a string always encodes
		body = append(append(body, quoted...), ':')
		body = append(body, values[name]...)
	}
	return append(body, '}')
}

// lastRow is where a run's metadata ends; seq is -1 when it has none.
type lastRow struct{ seq, total int }

func lastMetadata(t *tx, run ulid.ULID) (lastRow, error) {
	last := lastRow{seq: -1}
	found, done, err := t.row(t.statements.lastMetadata, run[:])
	if err != nil {
		return last, err
	}
	if found {
		last = lastRow{t.statements.lastMetadata.ColumnInt(0), t.statements.lastMetadata.ColumnInt(1)}
	}
	done()
	return last, nil
}

func runExists(t *tx, run ulid.ULID) (bool, error) {
	_, done, err := t.row(t.statements.runExists, run[:])
	if err != nil {
		return false, err
	}
	exists := t.statements.runExists.ColumnBool(0)
	done()
	return exists, nil
}

// write appends the updates after the last row, at an instant in nanoseconds.
func (p *plannedMetadata) write(t *tx, run ulid.ULID, last lastRow, at int64) error {
	for i, update := range p.updates {
		last.seq++
		last.total += update.Cost()
		_, err := t.exec(t.statements.insertMetadata, run[:], last.seq, update.Target.StepID, update.Target.Attempt, update.Target.SpanID,
			update.Kind, string(update.Op), p.bodies[i], last.total, at)
		if err != nil {
			return err
		}
	}
	return nil
}

// writeMetadata writes the metadata of a transition, as far as the run has room for it.
func (st *store) writeMetadata(t *tx, run ulid.ULID, updates []metadata.Update) error {
	if len(updates) == 0 {
		return nil
	}
	last, err := lastMetadata(t, run)
	if err != nil {
		return err
	}
	fitting := planMetadata(metadata.Fit(last.total, updates))
	return fitting.write(t, run, last, st.writer.now().UnixNano())
}
