package embedded

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

const (
	// projectAfter is how long spans wait for others of the same run before they are written: most runs are then one row.
	projectAfter = 500 * time.Millisecond
	// projectMany is how many spans are not waited with any longer.
	projectMany = 2 * projectBatch
	// projectBatch is how many spans are put together at a time. Fewer would part more runs.
	projectBatch = 4096
	// projectAtOnce bounds what is written in one transaction, and with it how long a commit may have to wait for it; projectAwaited is the
	// same while somebody who reads waits.
	projectAtOnce  = 128
	projectAwaited = 512
	// maxUnwritten and maxUnwrittenBytes bound what waits. Beyond them, commits wait too.
	maxUnwritten      = 8 * projectMany
	maxUnwrittenBytes = 64 << 20
)

// projector writes what transactions have for the history of runs into the tables of the reference, behind them. A row there costs
// more than all else of a commit (seven trees, with keys in no order), and rows of one run that come soon after each other are one.
//
// What a transaction has is stored with it in a log, so that nothing is lost; the transaction that writes the rows deletes it from
// there. Who reads waits until all that was committed before is written.
//
// What is put together is written in parts, so that commits go on in between. The first row of the log, number 0, then says how far they
// have come; so whoever goes on after a crash writes none of them twice.
type projector struct {
	cfg    Config
	writer *writer

	// seq numbers the transactions. Only the writer's goroutine uses it.
	seq int64
	// turn is held by whoever writes rows.
	turn chan struct{}

	mu sync.Mutex
	// pending are the spans of transactions, in their order, with the number of the last one of each.
	pending []unwritten
	rows    int
	bytes   int
	// added and written are the numbers of the last transaction whose spans are waiting, and are written.
	added, written int64
	// begun is what is being written; nil for nothing. Only who has the turn uses it.
	begun       *underway
	armed, shut bool
	stop        func() bool
	// room is closed when there is room again; nil while there is.
	room chan struct{}
	// gone are runs that were deleted while something of them may be waiting.
	gone map[ulid.ULID]struct{}
}

// unwritten is what one transaction has.
type unwritten struct {
	seq int64
	// spans are those of its operations.
	spans       [][]trace.Span
	rows, bytes int
}

// underway are rows that were put together of the first n transactions that wait, up to number last. Those before next are written.
type underway struct {
	rows    []trace.Span
	n, next int
	last    int64
}

func newProjector(cfg Config, w *writer) *projector {
	return &projector{cfg: cfg, writer: w, turn: make(chan struct{}, 1), gone: map[ulid.ULID]struct{}{}}
}

// next is the number of the next transaction that has spans.
func (p *projector) next() int64 { return p.seq + 1 }

// committed takes over the spans of a transaction. The writer calls it after the commit.
func (p *projector) committed(spans [][]trace.Span) {
	if len(spans) == 0 {
		return
	}
	p.seq++
	u := unwritten{seq: p.seq, spans: spans}
	for _, of := range spans {
		u.rows += len(of)
		for i := range of {
			const columns = 400
			u.bytes += columns + len(of[i].Attributes) + len(of[i].Input) + len(of[i].Output)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(u)
	switch {
	case p.shut:
	case p.rows >= projectMany:
		p.arm(0)
	default:
		p.arm(projectAfter)
	}
	if p.room == nil && (p.rows >= maxUnwritten || p.bytes >= maxUnwrittenBytes) {
		p.room = make(chan struct{})
		p.cfg.Logger.Warn("history is behind, commits wait for it", "count", p.rows, "bytes", p.bytes)
	}
}

// add appends to what waits. The caller holds mu.
func (p *projector) add(u unwritten) {
	p.pending = append(p.pending, u)
	p.rows += u.rows
	p.bytes += u.bytes
	p.added = u.seq
}

// arm has the rows written after a while. The caller holds mu.
func (p *projector) arm(after time.Duration) {
	if p.armed && after > 0 {
		return
	}
	if p.stop != nil {
		p.stop()
	}
	p.armed = true
	p.stop = p.cfg.Clock.AfterFunc(after, p.background)
}

// background writes what waits. What cannot be written is tried again.
func (p *projector) background() {
	p.mu.Lock()
	p.armed = false
	p.mu.Unlock()
	if err := p.flushBy(context.Background(), projectAtOnce); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.shut {
			p.cfg.Logger.Warn("history could not be written", "count", p.rows, "error", err)
			p.arm(projectAfter)
		}
	}
}

// admit waits until there is room for more.
func (p *projector) admit(ctx context.Context) error {
	for {
		p.mu.Lock()
		room := p.room
		p.mu.Unlock()
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flush returns when everything is written that was committed before.
func (p *projector) flush(ctx context.Context) error { return p.flushBy(ctx, projectAwaited) }

func (p *projector) flushBy(ctx context.Context, atOnce int) error {
	p.mu.Lock()
	target, done := p.added, p.added == p.written
	p.mu.Unlock()
	if done {
		return nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	return p.project(target, atOnce, func(op *operation) error { return p.writer.do(ctx, op) })
}

// project writes what waits until that of transaction target is written. The caller has the turn. What an earlier call could not finish comes
// first.
func (p *projector) project(target int64, atOnce int, do func(op *operation) error) error {
	for {
		if p.begun == nil {
			p.mu.Lock()
			batch := prefix(p.pending)
			reached := p.written >= target || len(batch) == 0
			p.mu.Unlock()
			if reached {
				return nil
			}
			p.begun = &underway{rows: mergeAll(batch), n: len(batch), last: batch[len(batch)-1].seq}
		}
		b := p.begun
		for first := true; first || b.next < len(b.rows); first = false {
			until := min(b.next+atOnce, len(b.rows))
			if err := do(&operation{size: 0, apply: func(t *tx) error { return p.write(t, b, until) }}); err != nil {
				return fmt.Errorf("write history: %w", err)
			}
			b.next = until
		}
		p.begun = nil
		p.wrote(b.n, b.last)
	}
}

// prefix is as much as is put together at a time.
func prefix(pending []unwritten) []unwritten {
	rows := 0
	for i := range pending {
		if rows += pending[i].rows; rows >= projectBatch {
			return pending[:i+1]
		}
	}
	return pending
}

// mergeAll puts together what belongs together. Runs come in about the order of their IDs by themselves.
func mergeAll(batch []unwritten) []trace.Span {
	n := 0
	for i := range batch {
		n += batch[i].rows
	}
	spans := make([]trace.Span, 0, n)
	for i := range batch {
		for _, of := range batch[i].spans {
			spans = append(spans, of...)
		}
	}
	return trace.Merge(spans)
}

// write writes rows up to one of them, and says so in the log; with the last of them, what they were put together of goes from there.
func (p *projector) write(t *tx, b *underway, until int) error {
	var scratch []byte
	for i := b.next; i < until; i++ {
		if p.isGone(b.rows[i].Run) {
			continue
		}
		if err := writeSpan(t, &b.rows[i], &scratch); err != nil {
			return err
		}
	}
	if p.writer.db.path == "" {
		return nil
	}
	if until == len(b.rows) {
		_, err := t.exec(t.statements.deleteHistoryLog, b.last)
		return err
	}
	_, err := t.exec(t.statements.putHistoryMark, appendMark(nil, b.last, until))
	return err
}

// appendMark is what row 0 of the log says: of the rows that were put together up to transaction last, as many are written as next.
func appendMark(dst []byte, last int64, next int) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(last))
	return binary.BigEndian.AppendUint64(dst, uint64(next))
}

func readMark(body []byte) (last int64, next int, ok bool) {
	if len(body) != 16 {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(body)), int(binary.BigEndian.Uint64(body[8:])), true
}

// wrote notes that the first n of what waits are written.
func (p *projector) wrote(n int, last int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range n {
		p.rows -= p.pending[i].rows
		p.bytes -= p.pending[i].bytes
		p.pending[i] = unwritten{}
	}
	p.pending = p.pending[n:]
	p.written = last
	if len(p.pending) == 0 {
		p.pending = nil
		clear(p.gone)
	}
	if p.room != nil && p.rows < maxUnwritten/2 && p.bytes < maxUnwrittenBytes/2 {
		close(p.room)
		p.room = nil
	}
}

// forget keeps what waits of runs that were deleted from being written. It is called on the writer's goroutine.
func (p *projector) forget(runs []ulid.ULID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return
	}
	for _, id := range runs {
		p.gone[id] = struct{}{}
	}
}

func (p *projector) isGone(id ulid.ULID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, gone := p.gone[id]
	return gone
}

// restore writes what the last process has left in the log, and adds what the reference has not written as the engine does. Nothing else
// runs yet.
func (p *projector) restore(ctx context.Context, queries *db.Queries) error {
	if err := p.alone(&operation{apply: func(t *tx) error { return t.queries.AddEventRuns(ctx) }}); err != nil {
		return err
	}
	if err := p.resume(ctx, queries); err != nil {
		return err
	}
	for {
		more, err := p.load(ctx, queries, math.MaxInt64)
		if err != nil {
			return err
		}
		if !more || p.rows >= projectMany {
			if err := p.project(p.seq, projectAwaited, p.alone); err != nil {
				return err
			}
		}
		if !more {
			p.written = p.added
			return nil
		}
	}
}

// resume writes the rest of what the last process had begun to write.
func (p *projector) resume(ctx context.Context, queries *db.Queries) error {
	body, err := queries.GetHistoryMark(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	last, next, ok := readMark(body)
	if !ok {
		return damaged("mark of the history log", errors.New("its length is wrong"))
	}
	for more := true; more; {
		if more, err = p.load(ctx, queries, last); err != nil {
			return err
		}
	}
	rows := mergeAll(p.pending)
	p.begun = &underway{rows: rows, n: len(p.pending), next: min(next, len(rows)), last: last}
	return p.project(last, projectAwaited, p.alone)
}

// load adds some of what is in the log up to a number to what waits, and says whether there is more.
func (p *projector) load(ctx context.Context, queries *db.Queries, last int64) (more bool, err error) {
	const page = 256
	rows, err := queries.ListHistoryLog(ctx, db.ListHistoryLogParams{After: p.seq, Last: last, Most: page})
	if err != nil {
		return false, translate(err)
	}
	for _, row := range rows {
		p.seq = row.Seq
		spans, err := spansFromLog(row.Body)
		if err != nil {
			p.cfg.Logger.Error("history of a transaction cannot be read and is left out", "seq", row.Seq, "error", err)
		}
		p.add(unwritten{seq: row.Seq, spans: [][]trace.Span{spans}, rows: len(spans)})
	}
	return len(rows) == page, nil
}

// alone runs an operation while the writer's goroutine does not run.
func (p *projector) alone(op *operation) error {
	outcomes := make([]error, 1)
	if err := p.writer.transact([]*operation{op}, outcomes); err != nil {
		return err
	}
	return outcomes[0]
}

// close keeps rows from being written by themselves.
func (p *projector) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	if p.stop != nil {
		p.stop()
	}
}

// drain writes what is left once the writer has stopped.
func (p *projector) drain() {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if err := p.project(p.seq, projectAwaited, p.alone); err != nil {
		p.cfg.Logger.Warn("history is written at the next start", "error", err)
	}
}
