package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// pauses knows which runs wait for which events. It is kept in memory and rebuilt at start; the pauses themselves are rows
// that the store writes with its commits. Pauses for something else than an event are not in it.
type pauses struct {
	cfg Config

	mu    sync.RWMutex
	all   map[pauseKey]*waiting
	names map[string]*awaited
	past  *expr.Cache
}

// pauseKey names a pause.
type pauseKey struct {
	run ulid.ULID
	id  uuid.UUID
}

// waiting is a pause in memory: its record, which is decoded when an event may end it, and where it is filed. It is small
// because a hundred thousand runs wait at once.
type waiting struct {
	pauseKey
	body []byte
	on   *awaited
}

// awaited is the name of an event with the pauses for it.
type awaited struct {
	name  string
	count int
	conditions
}

func newPauses(cfg Config) *pauses {
	return &pauses{cfg: cfg, all: map[pauseKey]*waiting{}, names: map[string]*awaited{}, past: expr.NewCache(pastConditions)}
}

// restore loads every pause for an event.
func (p *pauses) restore(ctx context.Context, queries *db.Queries) error {
	rows, err := queries.ListPauses(ctx)
	if err != nil {
		return translate(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, row := range rows {
		runID, err := parseULID(row.RunID)
		id, idErr := uuid.FromBytes(row.PauseID)
		pause, bodyErr := pauseFromRecord(id, row.EventName, row.Body)
		if err := errors.Join(err, idErr, bodyErr); err != nil {
			// The step that waits ends with its timeout.
			p.cfg.Logger.ErrorContext(ctx, "unreadable row of a pause", "run_id", runID, "pause_id", id, "error", err)
			continue
		}
		p.add(runID, pause, row.Body)
	}
	return nil
}

// apply makes a commit's changes true in memory: what is dropped goes before what is added.
func (p *pauses) apply(runID ulid.ULID, dropped []uuid.UUID, added []run.Pause, bodies [][]byte) {
	if len(dropped)+len(added) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range dropped {
		p.remove(pauseKey{runID, id})
	}
	for i, pause := range added {
		p.add(runID, pause, bodies[i])
	}
}

// end forgets all pauses of a run.
func (p *pauses) end(s *run.State) {
	if len(s.Pauses) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range s.Pauses {
		p.remove(pauseKey{s.ID, id})
	}
}

// add files a pause, in the place of one with its ID. The caller holds mu.
func (p *pauses) add(runID ulid.ULID, pause run.Pause, body []byte) {
	key := pauseKey{runID, pause.ID}
	p.remove(key)
	if pause.Kind != run.PauseEvent && pause.Kind != run.PauseCancel {
		return
	}
	on := p.names[pause.Event]
	if on == nil {
		on = &awaited{name: pause.Event, conditions: newConditions(p.past)}
		p.names[pause.Event] = on
	}
	w := &waiting{pauseKey: key, body: body, on: on}
	on.count++
	on.add(w, pause.Expression)
	p.all[key] = w
}

// remove forgets a pause if it is known. The caller holds mu.
func (p *pauses) remove(key pauseKey) {
	w := p.all[key]
	if w == nil {
		return
	}
	delete(p.all, key)
	w.on.remove(w)
	if w.on.count--; w.on.count == 0 {
		delete(p.names, w.on.name)
	}
}

// find returns the pauses that an event may end, by run and pause.
func (p *pauses) find(e event.Tracked) []*waiting {
	p.mu.RLock()
	defer p.mu.RUnlock()
	on := p.names[e.Name]
	if on == nil {
		return nil
	}
	found := on.candidates(e.Event)
	slices.SortFunc(found, func(a, b *waiting) int {
		if c := a.run.Compare(b.run); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	return found
}

// Paused implements ports.Store.
func (st *store) Paused(ctx context.Context, e event.Tracked) ([]ports.Paused, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	found := st.pauses.find(e)
	paused := make([]ports.Paused, len(found))
	for i, w := range found {
		pause, err := pauseFromRecord(w.id, e.Name, w.body)
		if err != nil {
			return nil, fmt.Errorf("pause %s of run %s: %w", w.id, w.run, err)
		}
		paused[i] = ports.Paused{Run: w.run, Pause: pause}
	}
	return paused, nil
}
