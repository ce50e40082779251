package embedded

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
)

// blocker is a key that has no room for those who wait under it, or a bucket that has no token for them. It exists as long as somebody
// waits, or has been woken by it and not been tried yet.
//
// One waiter is woken at a time. When it has been tried, and there still is room, the next is; so a release costs no more than what comes of
// it, and nobody waits where there is room once all that is ready has been tried.
type blocker struct {
	key string
	// ring is who waits: functions take turns, the first of each function's cells comes first.
	ring  ring
	woken *cell
	// pace is how fast it lets jobs through.
	pace *pace
	// throttle says that the key is the name of a bucket, which has a token at the time until.
	throttle bool
	until    int64
	armed    bool // in queue.throttled
	index    int
}

func (b *blocker) before(other *blocker) bool { return b.until < other.until }

func (b *blocker) at() *int { return &b.index }

// pace is how fast jobs get past a blocker. It outlives the blocker as long as a cell that has just got past it has more jobs: who alone
// waits for a key is its blocker's only reason to be.
type pace struct {
	key string
	flow.Pace
}

// waitKey names who waits under a blocker for a function.
type waitKey struct {
	blocker *blocker
	lane    *lane
}

// limits is what limits the queue: what holds which places, and who waits for them.
type limits struct {
	settings map[uuid.UUID]*flow.Settings
	capacity *flow.Capacity
	// held are the jobs in hand, with the limits of steps in which they have a place.
	held map[*item][]flow.Constraint
	// started are the runs in progress that have a key for a limit of runs and whose first job was handed out, of each function.
	started map[uuid.UUID]map[ulid.ULID]startedRun
	// tats are when the buckets of throttles are full again, in nanoseconds, without those that are full; swept is how many there were when
	// those were last looked for.
	tats  map[string]int64
	swept int
	// unwritten are the buckets of items whose admission is not durable yet, empty for none.
	unwritten map[*item]string

	blockers map[string]*blocker
	waits    map[waitKey]*turn
	// throttled are the blockers that wait for a time.
	throttled heap[*blocker]
}

// startedRun is a run that counts for a limit of runs, if its function has that limit.
type startedRun struct {
	key *flow.RunKey
	// held is where the run has a place, empty for nowhere.
	held string
}

func newLimits() limits {
	return limits{
		settings: map[uuid.UUID]*flow.Settings{}, capacity: flow.NewCapacity(), held: map[*item][]flow.Constraint{},
		started: map[uuid.UUID]map[ulid.ULID]startedRun{}, tats: map[string]int64{}, unwritten: map[*item]string{},
		blockers: map[string]*blocker{}, waits: map[waitKey]*turn{},
	}
}

// needsOf is what the jobs of a cell need now. The caller holds mu.
func (q *queue) needsOf(c *cell) *needs {
	if c.needs == nil {
		c.needs = q.findNeeds(c)
	}
	return c.needs
}

func (q *queue) findNeeds(c *cell) *needs {
	settings := q.settings[c.lane.function]
	if settings == nil || c.class == classFree {
		return nothing
	}
	var keys flow.Keys
	if c.keys != nil {
		keys = *c.keys
	}
	n := &needs{steps: settings.Constraints(keys.Concurrency, q.cfg.Steps)}
	n.all = n.steps
	if c.class == classFirst {
		if one, limited := settings.RunConstraint(keys.Run); limited {
			n.run, n.all = one, slices.Concat(n.steps, []flow.Constraint{one})
		}
		if n.throttle = settings.ThrottleOf(keys.Throttle); n.throttle != nil {
			n.bucket = throttleBucket + keys.Throttle.State(c.lane.function)
		}
	}
	if n.isNothing() {
		return nothing
	}
	return n
}

// admit takes what a job of the cell needs, all of it, or tells where the cell has to wait. The caller holds mu.
func (q *queue) admit(c *cell, n *needs, now time.Time) *blocker {
	if n.throttle != nil {
		if found := n.throttle.Peek(fromNanos(q.tats[n.bucket]), now); !found.Allowed {
			b := q.blocker(n.bucket)
			b.throttle, b.until = true, found.RetryAt.UnixNano()
			q.arm(b)
			return b
		}
	}
	if c.woken == nil && len(q.blockers) > 0 {
		// Who has been woken for another function goes first. Whoever has been woken is not held up by this, so one of them gets on.
		for _, one := range n.all {
			if b := q.blockers[one.Key]; b != nil && b.woken != nil && b.woken.lane != c.lane {
				return b
			}
		}
	}
	if key, ok := q.capacity.TryTake(n.all); !ok {
		return q.blocker(key)
	}
	if n.throttle != nil {
		q.spend(n, now)
	}
	return nil
}

// spend takes the token that is there.
func (q *queue) spend(n *needs, now time.Time) {
	q.tats[n.bucket] = n.throttle.Take(fromNanos(q.tats[n.bucket]), now).TAT.UnixNano()
	if len(q.tats) < 2*q.swept+1024 {
		return
	}
	for name, tat := range q.tats {
		if tat <= now.UnixNano() {
			delete(q.tats, name)
		}
	}
	q.swept = len(q.tats)
}

func (q *queue) blocker(key string) *blocker {
	b := q.blockers[key]
	if b == nil {
		b = &blocker{key: key}
		q.blockers[key] = b
	}
	return b
}

// arm makes the alarm think of a bucket.
func (q *queue) arm(b *blocker) {
	if b.armed {
		q.throttled.fix(b)
	} else {
		b.armed = true
		q.throttled.push(b)
	}
	q.alarm.set(b.until)
}

// block makes a cell that is ready wait under what blocks it. The caller holds mu.
func (q *queue) block(c *cell, b *blocker) {
	q.ready.remove(c)
	key := waitKey{b, c.lane}
	t := q.waits[key]
	if t == nil {
		t = &turn{lane: c.lane, blocker: b}
		q.waits[key] = t
	}
	n := q.needsOf(c)
	t.limit = n.limit(b.key)
	c.lane.noRoom += len(c.jobs)
	b.ring.add(t, c)
	c.group.add(n)
	q.follow(c)
	b.keepPace(c, q.cfg.Clock.Now())
	if q.cfg.Meter != nil {
		q.cfg.Meter.Limited(c.lane.function, b.kind())
	}
	q.tried(c)
}

// keepPace has a blocker for which somebody waits know how fast it lets jobs through, from what the cell that comes knows of it, or from now on.
func (b *blocker) keepPace(c *cell, now time.Time) {
	if b.pace == nil {
		b.pace = c.pace
	}
	if b.pace == nil || b.pace.key != b.key {
		b.pace = &pace{key: b.key, Pace: flow.Pace{Since: now}}
	}
	c.pace = nil
}

// add notes what the cell needs that was added last.
func (g *group) add(n *needs) {
	if keys := n.keys(); len(g.cells) == 1 {
		g.common = keys
	} else {
		g.keep(keys)
	}
}

// keep forgets that all need what is not among the keys.
func (g *group) keep(keys []string) {
	g.common = slices.DeleteFunc(g.common, func(key string) bool { return !slices.Contains(keys, key) })
}

// follow has those who wait where a cell was woken wait where it waits now, if they need that too: they have no room there either. Otherwise
// each would be woken to find that out, again each time that one is free and the other is not. The caller holds mu.
func (q *queue) follow(c *cell) {
	g := c.group
	from, to := c.woken, g.turn
	if from == nil || from == to.blocker {
		return
	}
	left := q.waits[waitKey{from, c.lane}]
	if left == nil {
		return
	}
	at := left.placeOf(c)
	others := left.groups[at]
	if others == nil || !slices.Contains(others.common, to.blocker.key) {
		return
	}
	left.groups[at] = nil
	if left.first() == nil {
		from.ring.unlink(left)
		delete(q.waits, waitKey{from, c.lane})
	}
	if len(g.cells) < len(others.cells) { // what is moved one by one is the smaller part
		g, others = others, g
		g.turn, to.groups[at] = to, g
	}
	for _, other := range others.cells {
		other.group = g
		g.cells.push(other)
	}
	g.keep(others.common)
}

// kind is the kind of limit that a blocker stands for.
func (b *blocker) kind() flow.LimitKind {
	if b.throttle {
		return flow.LimitThrottle
	}
	return flow.KindOf(b.key)
}

// passed notes that a job of a cell is handed out, and says whether a limit had kept it, or those before it. The caller holds mu; the job is
// taken out of the cell afterwards.
func (c *cell) passed() bool {
	if c.woken != nil {
		c.pace = c.woken.pace
	}
	limited := c.pace != nil
	if limited {
		c.pace.Passed++
	}
	if len(c.jobs) == 1 {
		c.pace = nil
	}
	return limited
}

// unblock takes a cell out of those who wait under its blocker. The caller holds mu.
func (q *queue) unblock(c *cell) {
	t := c.group.turn
	t.blocker.ring.remove(c)
	c.lane.noRoom -= len(c.jobs)
	if t.first() == nil {
		delete(q.waits, waitKey{t.blocker, c.lane})
	}
	q.tidy(t.blocker)
}

// tidy forgets a blocker that nobody needs. The caller holds mu.
func (q *queue) tidy(b *blocker) {
	if b.ring.turn != nil || b.woken != nil {
		return
	}
	delete(q.blockers, b.key)
	if b.armed {
		q.throttled.remove(b)
		b.armed = false
	}
}

// tried ends the turn of a cell that was woken, whatever came of it: the next may be woken. The caller holds mu.
func (q *queue) tried(c *cell) {
	b := c.woken
	if b == nil {
		return
	}
	c.woken, b.woken = nil, nil
	q.wakeNext(b)
	q.tidy(b)
}

// wakeNext makes the next who waits under a blocker ready, if there is room. The caller holds mu.
func (q *queue) wakeNext(b *blocker) {
	if b.woken != nil || b.ring.turn == nil {
		return
	}
	t := q.withRoom(b)
	if t == nil {
		return
	}
	b.ring.turn = t.next
	c := t.first()
	c.woken, b.woken = b, c // before it is taken out, so that the blocker stays
	q.unblock(c)
	q.ready.add(&c.lane.ready, c)
}

// withRoom is the next function in turn that there is room for, nil for none. Functions that share a key mostly have the same limit.
func (q *queue) withRoom(b *blocker) *turn {
	first := b.ring.turn
	if b.throttle {
		if b.until <= q.cfg.Clock.Now().UnixNano() {
			return first
		}
		q.arm(b)
		return nil
	}
	held := q.capacity.Held(b.key)
	for t := first; ; t = t.next {
		if held < t.limit {
			return t
		}
		if t.next == first {
			return nil
		}
	}
}

// release gives back the places in the limits of steps that a job in hand has. The caller holds mu.
func (q *queue) release(it *item) {
	places := q.held[it]
	delete(q.held, it)
	q.giveBack(places)
}

// giveBack gives places back and wakes who waits for them. The caller holds mu.
func (q *queue) giveBack(places []flow.Constraint) {
	if len(places) == 0 {
		return
	}
	q.capacity.Release(places)
	if len(q.blockers) == 0 {
		return
	}
	for _, one := range places { // all of them: not everybody who waits has been refused by the capacity
		if b := q.blockers[one.Key]; b != nil {
			q.wakeNext(b)
		}
	}
}

// begin notes that a run is in progress, and where it has a place. The caller holds mu.
func (q *queue) begin(function uuid.UUID, id ulid.ULID, key *flow.RunKey, held string) {
	of := q.started[function]
	if of == nil {
		of = map[ulid.ULID]startedRun{}
		q.started[function] = of
	}
	of[id] = startedRun{key: key, held: held}
}

// end gives back the place of a run that has ended. The caller holds mu.
func (q *queue) end(function uuid.UUID, id ulid.ULID) {
	of := q.started[function]
	ended, found := of[id]
	if !found {
		return
	}
	if delete(of, id); len(of) == 0 {
		delete(q.started, function)
	}
	if ended.held != "" {
		q.giveBack([]flow.Constraint{{Key: ended.held}})
	}
}

// Limit implements ports.Queue. Jobs in hand and runs in progress take places in limits that are new, with or without room.
func (q *queue) Limit(function uuid.UUID, settings *flow.Settings) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if settings == nil {
		delete(q.settings, function)
	} else {
		q.settings[function] = settings
		q.holdRuns(function, settings)
	}
	l := q.lanes[function]
	if l == nil {
		return
	}
	if settings != nil {
		q.holdSteps(l, settings)
	}
	for _, c := range l.keyed {
		q.retry(c)
	}
	if l.plain != nil {
		q.retry(l.plain)
	}
	q.settleDue()
}

// retry makes a cell ready whose needs have changed. The caller holds mu.
func (q *queue) retry(c *cell) {
	c.needs = nil
	if c.blocker() != nil {
		q.unblock(c)
		q.ready.add(&c.lane.ready, c)
	}
}

// holdRuns gives runs in progress their places. The caller holds mu.
func (q *queue) holdRuns(function uuid.UUID, settings *flow.Settings) {
	of := q.started[function]
	for id, known := range of {
		if one, limited := settings.RunConstraint(known.key); limited && known.held == "" {
			q.capacity.Hold([]flow.Constraint{one})
			known.held = one.Key
			of[id] = known
		}
	}
}

// holdSteps gives jobs in hand their places. The caller holds mu.
func (q *queue) holdSteps(l *lane, settings *flow.Settings) {
	for it, places := range q.held {
		if it.cell.lane != l || it.cell.class == classFree {
			continue
		}
		var keys []flow.ConcurrencyKey
		if it.cell.keys != nil {
			keys = it.cell.keys.Concurrency
		}
		places = places[:len(places):len(places)]
		for _, one := range settings.Constraints(keys, q.cfg.Steps) {
			if !named(places, one.Key) {
				q.capacity.Hold([]flow.Constraint{one})
				places = append(places, one)
			}
		}
		q.held[it] = places
	}
}

// named says whether one of the places is in the constraint.
func named(places []flow.Constraint, key string) bool {
	for _, one := range places {
		if one.Key == key {
			return true
		}
	}
	return false
}
