package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"zombiezen.com/go/sqlite"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

const (
	// keyLife is how long an idempotency key is refused. Spec 02 §3.
	keyLife = 24 * time.Hour
	// pruneBatch is how many rows one transaction of the retention deletes. Larger ones would delay callers, smaller ones
	// would pay a transaction for a few rows.
	pruneBatch = 256
	// expiryInterval is how often expired keys are looked for.
	expiryInterval = time.Minute
)

// retention deletes what is older than the configuration wants kept: finished runs, events that neither a run in progress nor a hold needs,
// idempotency keys, and buckets that are full. It works on the writer's goroutine, in small transactions between the batches, and knows from
// memory what there is to delete.
type retention struct {
	cfg   Config
	needs func(id ulid.ULID) bool // whether an event still needs routing

	mu sync.Mutex
	// finished and events are in the order of age; kept only when there is a bound.
	finished fifo[ulid.ULID]
	events   fifo[ulid.ULID]
	// needed counts the runs in progress that an event started, and the holds that it waits in.
	needed map[ulid.ULID]int
	// aside are events whose time has come but that are needed; freed are those that are no longer. Neither is in events.
	aside map[ulid.ULID]struct{}
	freed fifo[ulid.ULID]
	// keys counts the stored idempotency keys.
	keys       int
	nextExpiry time.Time
	// buckets counts the stored buckets of rate limits.
	buckets     int
	nextBuckets time.Time
}

func newRetention(cfg Config) *retention {
	return &retention{cfg: cfg, needs: func(ulid.ULID) bool { return false }, needed: map[ulid.ULID]int{}, aside: map[ulid.ULID]struct{}{}}
}

// restore reads what there is.
func (r *retention) restore(ctx context.Context, queries *db.Queries) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, err := queries.CountIdempotency(ctx)
	if err != nil {
		return translate(err)
	}
	r.keys = int(keys)
	buckets, err := queries.CountBuckets(ctx)
	if err != nil {
		return translate(err)
	}
	r.buckets = int(buckets)
	if r.cfg.KeepRuns >= 0 {
		if err := restoreIDs(ctx, queries.ListFinishedRunIDs, &r.finished); err != nil {
			return err
		}
	}
	if r.cfg.KeepEvents < 0 {
		return nil
	}
	return restoreIDs(ctx, queries.ListEventIDs, &r.events)
}

// found notes a run in progress that was there at start, by its head.
func (r *retention) found(head []byte) {
	if r.cfg.KeepEvents < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ids, _ := headEventIDs(head) // a head that cannot be read is reported by who needs it
	for _, id := range ids {
		r.needed[id]++
	}
}

func restoreIDs(ctx context.Context, list func(context.Context) ([][]byte, error), into *fifo[ulid.ULID]) error {
	rows, err := list(ctx)
	if err != nil {
		return translate(err)
	}
	for _, row := range rows {
		if id, err := parseULID(row); err == nil {
			into.push(id)
		}
	}
	return nil
}

// accepted notes new events.
func (r *retention) accepted(events []event.Tracked) {
	if r.cfg.KeepEvents < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range events {
		r.events.push(events[i].InternalID)
	}
}

// started notes a new run and whether it took a key.
func (r *retention) started(s run.State, key bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key {
		r.keys++
	}
	if r.cfg.KeepEvents < 0 {
		return
	}
	for i := range s.Events {
		r.needed[s.Events[i].InternalID]++
	}
}

// counted notes a new bucket.
func (r *retention) counted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buckets++
}

// skipped notes runs that ended as they began.
func (r *retention) skipped(runs []ports.SkippedRun) {
	if r.cfg.KeepRuns < 0 || len(runs) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, skipped := range runs {
		r.finished.push(skipped.RunID)
	}
}

// ended notes the end of a run.
func (r *retention) ended(s run.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.KeepRuns >= 0 {
		r.finished.push(s.ID)
	}
	if r.cfg.KeepEvents < 0 {
		return
	}
	for i := range s.Events {
		r.release(s.Events[i].InternalID)
	}
}

// held notes events that were put into holds, and such that are in them no longer.
func (r *retention) held(in, out []ulid.ULID) {
	if len(in)+len(out) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range in {
		r.needed[id]++
	}
	for _, id := range out {
		r.release(id)
	}
}

// release counts an event out that is needed once less. The caller holds mu.
func (r *retention) release(id ulid.ULID) {
	if r.needed[id]--; r.needed[id] <= 0 {
		delete(r.needed, id)
		r.free(id)
	}
}

// settled notes that an event no longer needs routing.
func (r *retention) settled(id ulid.ULID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free(id)
}

// free lets go of an event that was set aside, unless it is still needed. The caller holds mu.
func (r *retention) free(id ulid.ULID) {
	if _, waits := r.aside[id]; waits && !r.isNeeded(id) {
		delete(r.aside, id)
		r.freed.push(id)
	}
}

// isNeeded tells whether an event must stay whatever its age. The caller holds mu.
func (r *retention) isNeeded(id ulid.ULID) bool { return r.needed[id] > 0 || r.needs(id) }

// work is what one transaction of the retention deletes.
type work struct {
	runs, events []ulid.ULID
	oldestKeys   int
	expired      bool
	buckets      bool
}

// plan chooses what to delete now: nothing until a whole batch is due, so that an idle server writes nothing and a busy
// one pays for few transactions. An event that is still needed is set aside until it no longer is, so that none is looked at
// again and again while the runs that need it sleep.
func (r *retention) plan(now time.Time) work {
	r.mu.Lock()
	defer r.mu.Unlock()
	var w work
	if keep := r.cfg.KeepRuns; keep >= 0 && r.finished.len() >= keep+pruneBatch {
		for range pruneBatch {
			w.runs = append(w.runs, r.finished.pop())
		}
	}
	if keep := r.cfg.KeepEvents; keep >= 0 && r.freed.len()+r.events.len() >= keep+pruneBatch {
		for range pruneBatch {
			from := &r.events
			if r.freed.len() > 0 {
				from = &r.freed
			}
			if id := from.pop(); r.isNeeded(id) {
				r.aside[id] = struct{}{}
			} else {
				w.events = append(w.events, id)
			}
		}
	}
	if keep := r.cfg.KeepKeys; keep >= 0 && r.keys >= keep+pruneBatch {
		w.oldestKeys = pruneBatch
	}
	w.expired = r.keys > 0 && !now.Before(r.nextExpiry)
	w.buckets = r.buckets > 0 && !now.Before(r.nextBuckets)
	return w
}

func (w work) empty() bool {
	return len(w.runs) == 0 && len(w.events) == 0 && w.oldestKeys == 0 && !w.expired && !w.buckets
}

// prune deletes what is due, at most a batch of each kind. What could not be deleted is tried again with the next batch.
func (r *retention) prune(w *writer) {
	now := w.now()
	todo := r.plan(now)
	if todo.empty() {
		return
	}
	var gone removed
	apply := func(t *tx) (err error) {
		if err := w.history.forget(t, todo.runs); err != nil {
			return err
		}
		gone, err = todo.remove(t, now)
		return err
	}
	if err := w.transact([]*operation{{apply: apply}}, make([]error, 1)); err != nil {
		r.restoreWork(todo)
		w.logger.Warn("old data could not be deleted", "count", len(todo.runs)+len(todo.events), "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys -= gone.oldestKeys + gone.expired
	if todo.expired && gone.expired < pruneBatch {
		r.nextExpiry = now.Add(expiryInterval)
	}
	r.buckets -= gone.buckets
	if todo.buckets && gone.buckets < pruneBatch {
		r.nextBuckets = now.Add(expiryInterval)
	}
}

// removed counts what was deleted of what memory only counts.
type removed struct{ oldestKeys, expired, buckets int }

// remove deletes what was chosen.
func (w work) remove(t *tx, now time.Time) (gone removed, err error) {
	s := t.statements
	for _, id := range w.runs {
		for _, stmt := range []*sqlite.Stmt{s.deleteFunctionRun, s.deleteFinish, s.deleteSteps, s.deleteEnded, s.deleteMetadata, s.deleteEventBatch, s.deleteTraceRun} {
			if _, err := t.exec(stmt, id[:]); err != nil {
				return gone, err
			}
		}
		if _, err := t.exec(s.deleteSpans, id.String()); err != nil {
			return gone, err
		}
	}
	for _, id := range w.events {
		if _, err := t.exec(s.deleteEvent, id[:]); err != nil {
			return gone, err
		}
	}
	if w.oldestKeys > 0 {
		if gone.oldestKeys, err = t.exec(s.deleteOldestKeys, w.oldestKeys); err != nil {
			return gone, err
		}
	}
	if w.expired {
		if gone.expired, err = t.exec(s.deleteExpiredKeys, pruneBatch, now.UnixNano()); err != nil {
			return gone, err
		}
	}
	if w.buckets {
		gone.buckets, err = t.exec(s.deleteFullBuckets, now.UnixNano(), pruneBatch)
	}
	return gone, err
}

// restoreWork puts back what was not deleted. It is deleted a little later than its age says.
func (r *retention) restoreWork(w work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range w.runs {
		r.finished.push(id)
	}
	for _, id := range w.events {
		r.freed.push(id)
	}
	if w.expired {
		r.nextExpiry = r.nextExpiry.Add(expiryInterval)
	}
	if w.buckets {
		r.nextBuckets = r.nextBuckets.Add(expiryInterval)
	}
}
