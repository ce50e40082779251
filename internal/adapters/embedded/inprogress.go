package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// inProgress knows the runs in progress of each function, in the order of their IDs. It is kept in memory and rebuilt at
// start, because an index of the table would cost every run two writes for a question that is seldom asked.
type inProgress struct {
	mu        sync.RWMutex
	functions map[uuid.UUID]*runList
}

func newInProgress() *inProgress { return &inProgress{functions: map[uuid.UUID]*runList{}} }

func (p *inProgress) add(function uuid.UUID, id ulid.ULID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.functions[function]
	if list == nil {
		list = &runList{}
		p.functions[function] = list
	}
	list.add(id)
}

func (p *inProgress) remove(function uuid.UUID, id ulid.ULID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.functions[function]
	if list == nil {
		return
	}
	list.remove(id)
	if list.live() == 0 {
		delete(p.functions, function)
	}
}

func (p *inProgress) find(q ports.RunsQuery) []ulid.ULID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := p.functions[q.Function]
	if list == nil {
		return nil
	}
	return list.find(q)
}

// runList is a sorted list of IDs. New ones come at its end or near it, as IDs begin with their time, so adding one is an
// append as a rule. Those that are removed are marked, and cleared away together when they are half of the list.
type runList struct {
	ids  []ulid.ULID
	gone []bool
	dead int
}

func (l *runList) live() int { return len(l.ids) - l.dead }

// at is the place of an ID, or where it would be.
func (l *runList) at(id ulid.ULID) (int, bool) {
	return slices.BinarySearchFunc(l.ids, id, ulid.ULID.Compare)
}

func (l *runList) add(id ulid.ULID) {
	if n := len(l.ids); n == 0 || l.ids[n-1].Compare(id) < 0 {
		l.ids, l.gone = append(l.ids, id), append(l.gone, false)
		return
	}
	at, known := l.at(id)
	if !known {
		l.ids, l.gone = slices.Insert(l.ids, at, id), slices.Insert(l.gone, at, false)
		return
	}
	if l.gone[at] {
		l.gone[at] = false
		l.dead--
	}
}

func (l *runList) remove(id ulid.ULID) {
	at, known := l.at(id)
	if !known || l.gone[at] {
		return
	}
	l.gone[at] = true
	if l.dead++; l.dead > len(l.ids)/2 {
		l.compact()
	}
}

// compact clears away what is marked, and gives back memory that is not likely to be needed soon.
func (l *runList) compact() {
	kept := l.ids[:0]
	if cap(l.ids) > 1024 && l.live() < cap(l.ids)/4 {
		kept = make([]ulid.ULID, 0, 2*l.live())
	}
	for i, id := range l.ids {
		if !l.gone[i] {
			kept = append(kept, id)
		}
	}
	l.ids, l.gone, l.dead = kept, make([]bool, len(kept), cap(kept)), 0
}

// find returns what a query selects.
func (l *runList) find(q ports.RunsQuery) []ulid.ULID {
	from := sort.Search(len(l.ids), func(i int) bool {
		return l.ids[i].Compare(q.Cursor) > 0 && (q.After.IsZero() || timeOf(l.ids[i]).After(q.After))
	})
	var found []ulid.ULID
	for i := from; i < len(l.ids) && len(found) < q.Limit; i++ {
		if !q.Before.IsZero() && !timeOf(l.ids[i]).Before(q.Before) {
			break
		}
		if !l.gone[i] {
			found = append(found, l.ids[i])
		}
	}
	return found
}

func timeOf(id ulid.ULID) time.Time { return ulid.Time(id.Time()) }

// RunsOf implements ports.Store.
func (st *store) RunsOf(ctx context.Context, q ports.RunsQuery) ([]ulid.ULID, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return st.running.find(q), nil
}

// Fence implements ports.Store. It takes its turn between two batches of the writer, so that every schedule is wholly
// before it, in memory too, or wholly after it.
func (st *store) Fence(ctx context.Context, function uuid.UUID, before time.Time) error {
	err := st.writer.do(ctx, &operation{read: func(*db.Queries) error {
		if st.fences[function].Before(before) {
			st.fences[function] = before
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("fence function %s: %w", function, err)
	}
	return nil
}

// outdated reports a run on the far side of a fence. It is called by the writer.
func (st *store) outdated(s *run.State) bool {
	if len(st.fences) == 0 {
		return false
	}
	fence, fenced := st.fences[s.FunctionID]
	return fenced && timeOf(s.ID).Before(fence)
}

// runKeys are what the jobs of a run are ordered and limited by.
type runKeys struct {
	function uuid.UUID
	keys     *flow.Keys
}

// restoreRuns reads the heads of all runs in progress, for those that keep something of them in memory, and returns the keys of
// those that have any. A head that cannot be read is reported by who needs it.
func (e *Engine) restoreRuns(ctx context.Context) (map[ulid.ULID]runKeys, error) {
	var id ulid.ULID
	var head bytes.Buffer
	keys, known := map[ulid.ULID]runKeys{}, map[string]*flow.Keys{}
	err := sqlitex.Execute(e.db.conn, db.ListRunHeads, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		head.Reset()
		if _, err := head.ReadFrom(row.ColumnReader(1)); err != nil {
			return err
		}
		function, record, err := headKeys(head.Bytes())
		if row.ColumnBytes(0, id[:]) != len(id) || err != nil {
			e.cfg.Logger.ErrorContext(ctx, "unreadable row of a run", "run_id", id, "error", err)
			return nil
		}
		e.store.running.add(function, id)
		e.keep.found(head.Bytes())
		if len(record) == 0 {
			return nil
		}
		if known[string(record)] == nil {
			decoded := &enginev1.FlowKeys{}
			if err := proto.Unmarshal(record, decoded); err != nil {
				e.cfg.Logger.ErrorContext(ctx, "unreadable keys of a run", "run_id", id, "error", err)
				return nil
			}
			known[string(record)] = keysFromRecord(decoded)
		}
		keys[id] = runKeys{function: function, keys: known[string(record)]}
		return nil
	}})
	return keys, translate(err)
}

// headKeys reads whose run it is and the record of its keys, without the rest: there may be hundreds of thousands.
func headKeys(head []byte) (function uuid.UUID, keys []byte, err error) {
	const functionID, flowKeys = 2, 11 // of message RunHead
	found := false
	for len(head) > 0 {
		number, kind, n := protowire.ConsumeTag(head)
		if n < 0 {
			return uuid.Nil, nil, damaged("head record", protowire.ParseError(n))
		}
		head = head[n:]
		if n = protowire.ConsumeFieldValue(number, kind, head); n < 0 {
			return uuid.Nil, nil, damaged("head record", protowire.ParseError(n))
		}
		if kind == protowire.BytesType && (number == functionID || number == flowKeys) {
			value, _ := protowire.ConsumeBytes(head)
			if number == flowKeys {
				keys = value
			} else if function, err = uuid.FromBytes(value); err != nil {
				return uuid.Nil, nil, damaged("head record: function", err)
			} else {
				found = true
			}
		}
		head = head[n:]
	}
	if !found {
		return uuid.Nil, nil, damaged("head record", errors.New("it has no function"))
	}
	return function, keys, nil
}
