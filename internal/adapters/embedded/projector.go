package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
)

const (
	// projectAfter is how long what has ended waits for others, with which it is written in one transaction.
	projectAfter = 500 * time.Millisecond
	// projectAtOnce bounds the rows that are written in one transaction, and with it how long a commit may have to wait for it: each
	// transaction writes the last page of seven trees anew. As many are not waited with any longer.
	projectAtOnce = 512
	// waitAtMost is how long a run that goes on waits for its end, maxWaiting and maxWaitingBytes how much does at a time. What waits longer
	// is written twice, so this is long, but nobody sees it: who reads has it written.
	waitAtMost      = 10 * time.Second
	maxWaiting      = 16384
	maxWaitingBytes = 16 << 20
	// maxUnwritten and maxUnwrittenBytes bound what waits. Beyond them, commits wait too.
	maxUnwritten      = 65536
	maxUnwrittenBytes = 64 << 20
)

// projector writes what transactions have for the history of runs into the tables of the reference, behind them. A row there costs
// more than all else of a commit (seven trees, and a page in the log for a third of it), and rows of one run that come soon after each other are
// one, so a run is written when it has ended.
//
// What a transaction has is stored with it in a log, so that nothing is lost; when the spans of all runs in it are written, it goes from there.
// The transaction that writes a run earlier says so beside the log, so that whoever goes on after a crash does not write it again. Who reads
// waits until all that was committed before is written, or all of the runs that are asked for.
type projector struct {
	cfg    Config
	writer *writer

	// seq numbers the transactions. Only the writer's goroutine uses it.
	seq int64
	// turn is held by whoever writes rows.
	turn chan struct{}

	mu sync.Mutex
	waitingRuns
	// begun is what is being written, or could not be; nil for nothing. Only who has the turn changes it.
	begun *portion
	// stop ends the alarm that is set for due; nil for none. While the background writes, none is set.
	stop    func() bool
	due     time.Time
	writing bool
	// notBefore is until when nothing is tried after a failure.
	notBefore time.Time
	shut      bool
	// room is closed when there is room again; nil while there is.
	room chan struct{}
}

// portion is what is written in one transaction.
type portion struct {
	// runs are in the order of their IDs.
	runs []*unwritten
	rows []trace.Span
	// until is the last transaction of which the portion has all spans of its runs.
	until int64
}

func newProjector(cfg Config, w *writer) *projector {
	return &projector{cfg: cfg, writer: w, turn: make(chan struct{}, 1), waitingRuns: newWaitingRuns()}
}

// next is the number of the next transaction that has spans.
func (p *projector) next() int64 { return p.seq + 1 }

// committed takes over the spans of a transaction. The writer calls it after the commit.
func (p *projector) committed(spans [][]trace.Span) {
	if len(spans) == 0 {
		return
	}
	p.seq++
	now := p.cfg.Clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range spans {
		p.add(p.seq, now, of)
	}
	p.arm(now)
	if p.room == nil && (p.rows >= maxUnwritten || p.bytes >= maxUnwrittenBytes) {
		p.room = make(chan struct{})
		p.cfg.Logger.Warn("history is behind, commits wait for it", "count", p.rows, "bytes", p.bytes)
	}
}

// arm has what waits written when it is time. The caller holds mu.
func (p *projector) arm(now time.Time) {
	if p.shut || p.writing || len(p.order) == 0 {
		return
	}
	due := now.Add(projectAfter)
	switch first := p.oldest(); {
	case p.rows-p.waiting >= projectAtOnce:
		due = now
	case p.rows == p.waiting && first != nil:
		due = first.since.Add(waitAtMost)
	}
	if due.Before(p.notBefore) {
		due = p.notBefore
	}
	if p.stop != nil {
		if !due.Before(p.due) {
			return
		}
		p.stop()
	}
	p.due, p.stop = due, p.cfg.Clock.AfterFunc(max(due.Sub(now), 0), p.background)
}

// background writes what is ready. What cannot be written is tried again.
func (p *projector) background() {
	p.mu.Lock()
	p.stop, p.writing = nil, true
	p.hurrySince(p.cfg.Clock.Now().Add(-waitAtMost))
	ready := p.rows - p.waiting
	p.mu.Unlock()
	var err error
	for more := true; more && err == nil && ready > 0; ready -= projectAtOnce {
		more, err = p.write(context.Background(), p.takePortion, p.submit)
	}
	now := p.cfg.Clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing = false
	if err != nil && !p.shut {
		p.notBefore = now.Add(projectAfter)
		p.cfg.Logger.Warn("history could not be written", "count", p.rows, "error", err)
	}
	p.arm(now)
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
func (p *projector) flush(ctx context.Context) error {
	return p.flushBy(ctx, p.submit)
}

func (p *projector) flushBy(ctx context.Context, do func(ctx context.Context, op *operation) error) error {
	p.mu.Lock()
	target, behind := p.added, p.behind(p.added)
	p.hurryAll()
	p.mu.Unlock()
	for behind {
		if _, err := p.write(ctx, p.takePortion, do); err != nil {
			return err
		}
		p.mu.Lock()
		behind = p.behind(target)
		p.mu.Unlock()
	}
	return nil
}

// flushRuns returns when everything is written that was committed before of runs.
func (p *projector) flushRuns(ctx context.Context, runs []ulid.ULID) error {
	for some := range slices.Chunk(runs, projectAtOnce) {
		for more := p.waits(some); more; {
			var err error
			if more, err = p.write(ctx, func() []*unwritten { return p.takeOf(some) }, p.submit); err != nil {
				return err
			}
		}
	}
	return nil
}

// waits says whether something of runs is not written.
func (p *projector) waits(runs []ulid.ULID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(runs, func(id ulid.ULID) bool { return len(p.of(id)) > 0 })
}

// of is what is not written of a run: what waits, and what is being written. The caller holds mu.
func (p *projector) of(run ulid.ULID) []*unwritten {
	var some []*unwritten
	if u := p.runs[run]; u != nil {
		some = append(some, u)
	}
	if p.begun == nil {
		return some
	}
	at, found := slices.BinarySearchFunc(p.begun.runs, run, func(u *unwritten, run ulid.ULID) int { return u.run.Compare(run) })
	if found && !p.begun.runs[at].over {
		some = append(some, p.begun.runs[at])
	}
	return some
}

// takePortion takes what is ready for one transaction. The caller holds mu.
func (p *projector) takePortion() []*unwritten { return p.take(projectAtOnce) }

// submit has the writer do it.
func (p *projector) submit(ctx context.Context, op *operation) error { return p.writer.do(ctx, op) }

// write takes something, when nobody else writes, and writes it, and says whether there was anything. What an earlier call could not
// write comes first.
func (p *projector) write(ctx context.Context, take func() []*unwritten, do func(ctx context.Context, op *operation) error) (more bool, err error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	p.mu.Lock()
	part := p.begun
	if part == nil {
		if runs := take(); len(runs) > 0 {
			// In the order of the runs, which is that of most trees.
			slices.SortFunc(runs, func(a, b *unwritten) int { return a.run.Compare(b.run) })
			part = &portion{runs: runs, until: p.added}
			p.begun = part
		}
	}
	p.mu.Unlock()
	if part == nil {
		return false, nil
	}
	if part.rows == nil {
		part.rows = mergeAll(part.runs)
	}
	if err := do(ctx, &operation{apply: func(t *tx) error { return p.apply(t, part) }}); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.arm(p.cfg.Clock.Now())
		return false, fmt.Errorf("write history: %w", err)
	}
	p.wrote(part)
	return true, nil
}

// mergeAll puts together what belongs together.
func mergeAll(runs []*unwritten) []trace.Span {
	n := 0
	for _, u := range runs {
		n += u.rows
	}
	spans := make([]trace.Span, 0, n)
	for _, u := range runs {
		for _, of := range u.spans {
			spans = append(spans, of...)
		}
	}
	return trace.Merge(spans)
}

// apply writes a portion, and notes that.
func (p *projector) apply(t *tx, part *portion) error {
	rows := part.rows
	if slices.ContainsFunc(part.runs, func(u *unwritten) bool { return u.over }) { // deleted meanwhile
		gone := map[ulid.ULID]bool{}
		for _, u := range part.runs {
			gone[u.run] = u.over
		}
		rows = slices.DeleteFunc(slices.Clone(rows), func(s trace.Span) bool { return gone[s.Run] })
	}
	if err := writeSpans(t, rows); err != nil {
		return err
	}
	if p.writer.db.path == "" {
		return nil
	}
	p.mu.Lock()
	through := p.through()
	p.mu.Unlock()
	if part.until > through {
		if err := noteWritten(t, part.runs, part.until); err != nil {
			return err
		}
	}
	return clearLog(t, through)
}

// noteWritten says beside the log that all of runs is written up to a transaction.
func noteWritten(t *tx, runs []*unwritten, until int64) error {
	ids := make([]byte, 0, len(runs)*len(ulid.ULID{}))
	for _, u := range runs {
		ids = append(ids, u.run[:]...)
	}
	_, err := t.exec(t.statements.putHistoryWritten, until, ids)
	return err
}

// clearLog deletes transactions of which everything is written.
func clearLog(t *tx, through int64) error {
	if _, err := t.exec(t.statements.deleteHistoryLog, through); err != nil {
		return err
	}
	_, err := t.exec(t.statements.deleteHistoryWritten, through)
	return err
}

// wrote forgets what is written.
func (p *projector) wrote(part *portion) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = nil
	p.drop(part.runs...)
	for _, u := range part.runs {
		u.spans = nil
	}
	p.reopen()
}

// reopen lets commits go on when there is room again. The caller holds mu.
func (p *projector) reopen() {
	if p.room != nil && p.rows < maxUnwritten/2 && p.bytes < maxUnwrittenBytes/2 {
		close(p.room)
		p.room = nil
	}
}

// forget keeps what waits of runs from being written, in the transaction that deletes the runs. It is called on the writer's goroutine.
func (p *projector) forget(t *tx, runs []ulid.ULID) error {
	var some []*unwritten
	p.mu.Lock()
	for _, id := range runs {
		some = append(some, p.of(id)...)
	}
	until := p.added
	p.drop(some...)
	p.reopen()
	p.mu.Unlock()
	if len(some) == 0 || p.writer.db.path == "" {
		return nil
	}
	return noteWritten(t, some, until)
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
func (p *projector) drain(ctx context.Context) {
	if err := p.flushBy(ctx, p.alone); err != nil {
		p.cfg.Logger.Warn("history is written at the next start", "error", err)
	}
}

// alone runs an operation while the writer's goroutine does not run.
func (p *projector) alone(_ context.Context, op *operation) error {
	outcomes := make([]error, 1)
	if err := p.writer.transact([]*operation{op}, outcomes); err != nil {
		return err
	}
	return outcomes[0]
}
