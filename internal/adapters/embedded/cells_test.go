package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// handClock is moved by hand.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) AfterFunc(time.Duration, func()) (stop func() bool) {
	return func() bool { return true }
}

// bareQueue is a queue without a database, whose alarm never rings.
func bareQueue() (*queue, *handClock) {
	clock := &handClock{now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	return newQueue(Config{Clock: clock}.withDefaults(), nil), clock
}

// controls compiles settings of a function.
func controls(tb testing.TB, id uuid.UUID, settings function.Settings) *flow.Settings {
	tb.Helper()
	compiled, faults := flow.Compile(function.Function{ID: id, Settings: settings})
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	return compiled
}

// keysFor are the keys of a run of the function whose event has a value for k.
func keysFor(settings *flow.Settings, k string) *flow.Keys {
	values := settings.Evaluate(event.Event{Name: "e", Data: []byte(fmt.Sprintf(`{"k":%q}`, k))}, flow.FromEvent, time.Now())
	return values.Keys()
}

// variants are settings of a function that differ in what is limited, the first with everything.
func variants(tb testing.TB, id uuid.UUID) []*flow.Settings {
	tb.Helper()
	const key = "event.data.k"
	made := func(unkeyed, keyed, shared, runs, throttle int, by string) *flow.Settings {
		var c function.Concurrency
		if keyed > 0 {
			c.Step = append(c.Step, function.StepLimit{Limit: keyed, Key: key, Scope: function.ScopeFunction})
		}
		if shared > 0 {
			c.Step = append(c.Step, function.StepLimit{Limit: shared, Key: "'all'", Scope: function.ScopeAccount})
		}
		if unkeyed > 0 && len(c.Step) < 2 {
			c.Step = append(c.Step, function.StepLimit{Limit: unkeyed, Scope: function.ScopeFunction})
		}
		if runs > 0 {
			c.Run = append(c.Run, function.RunLimit{Limit: runs, Key: by})
		}
		settings := function.Settings{Concurrency: &c}
		if throttle > 0 {
			settings.Throttle = &function.Throttle{Limit: throttle, Period: function.Duration(10 * time.Second), Key: by}
		}
		return controls(tb, id, settings)
	}
	return []*flow.Settings{
		made(0, 2, 3, 4, 3, key), made(0, 1, 2, 2, 0, key), made(3, 1, 0, 0, 2, key), made(0, 0, 2, 0, 0, key), made(0, 0, 5, 3, 1, key),
		made(2, 0, 1, 1, 0, key), made(1, 0, 0, 0, 0, key), made(0, 3, 1, 0, 1, key), made(1, 1, 0, 2, 0, ""), made(2, 1, 0, 3, 2, ""), made(0, 1, 1, 2, 0, ""),
	}
}

// modelRun is a run as the model of the queue knows it.
type modelRun struct {
	state   run.State
	started bool
	jobs    []*modelJob
}

type modelJob struct {
	it       *item
	run      *modelRun
	kind     run.Kind
	leased   bool
	admitted bool
	places   []string
	seq      int
}

// queueModel decides by looking at everything.
type queueModel struct {
	*rapid.T
	q        *queue
	clock    *handClock
	settings map[uuid.UUID]*flow.Settings
	runs     []*modelRun
	tats     map[string]time.Time
	seq      int
}

func (m *queueModel) keys(j *modelJob) flow.Keys {
	if keys := j.run.state.Keys; keys != nil {
		return *keys
	}
	return flow.Keys{}
}

func (m *queueModel) score(j *modelJob) int64 {
	at := fromNanos(j.it.due)
	return flow.Score(flow.Place{Kind: string(j.kind), Run: j.run.state.ID, Factor: m.keys(j).Factor, At: at}, at)
}

func (m *queueModel) due(j *modelJob) bool {
	return !j.leased && j.it.due <= m.clock.now.UnixNano() && m.score(j) <= m.clock.now.UnixMilli()
}

func (m *queueModel) constraints(j *modelJob) []flow.Constraint {
	settings := m.settings[j.run.state.FunctionID]
	if settings == nil || j.kind == run.KindPause || j.kind == run.KindCancel {
		return nil
	}
	return settings.Constraints(m.keys(j).Concurrency, flow.Defaults{})
}

// first is what a first job needs besides: a place for its run, a token of the bucket.
func (m *queueModel) first(j *modelJob) (runs flow.Constraint, throttle *flow.Throttle, bucket string) {
	settings, keys := m.settings[j.run.state.FunctionID], m.keys(j)
	if settings == nil || j.kind != run.KindStart || j.admitted {
		return runs, nil, ""
	}
	runs, _ = settings.RunConstraint(keys.Run)
	if keys.Throttle != nil {
		throttle, bucket = settings.ThrottleOf(keys.Throttle), throttleBucket+keys.Throttle.State(j.run.state.FunctionID)
	}
	return runs, throttle, bucket
}

// room says what keeps a job from being handed out, empty for nothing.
func (m *queueModel) room(j *modelJob) string {
	for _, one := range m.constraints(j) {
		held := 0
		for _, r := range m.runs {
			for _, other := range r.jobs {
				if other.leased && slices.Contains(other.places, one.Key) {
					held++
				}
			}
		}
		if held >= one.Limit {
			return one.Key
		}
	}
	limit, throttle, bucket := m.first(j)
	if limit.Key != "" {
		held := 0
		for _, r := range m.runs {
			if r.started && r.state.Keys != nil && r.state.Keys.Run != nil && *r.state.Keys.Run == *m.keys(j).Run {
				held++
			}
		}
		if held >= limit.Limit {
			return limit.Key
		}
	}
	if throttle != nil && !throttle.Peek(m.tats[bucket], m.clock.now).Allowed {
		return bucket
	}
	return ""
}

func (m *queueModel) jobs(keep func(*modelJob) bool) []*modelJob {
	var found []*modelJob
	for _, r := range m.runs {
		for _, j := range r.jobs {
			if keep(j) {
				found = append(found, j)
			}
		}
	}
	return found
}

// add puts a job of a run into the queue.
func (m *queueModel) add(r *modelRun, kind run.Kind, at time.Time) {
	m.seq++
	job := run.Job{RunID: r.state.ID, ID: fmt.Sprintf("job-%d", m.seq), FunctionID: r.state.FunctionID, Kind: kind, At: at}
	j := &modelJob{it: newItem(job, jobRecord(job)), run: r, kind: kind, seq: m.seq}
	r.jobs = append(r.jobs, j)
	m.q.apply(changes{added: []addedJob{{j.it, job.FunctionID, r.state.Keys}}})
}

// take takes the next job and holds it against the rules.
func (m *queueModel) take() bool {
	m.q.mu.Lock()
	m.q.settleDue()
	it := m.q.take()
	if it != nil {
		it.unwritten = false
		delete(m.q.unwritten, it)
	}
	m.q.mu.Unlock()
	if it == nil {
		for _, j := range m.jobs(m.due) {
			if m.room(j) == "" {
				m.Fatalf("job %s of run %s waits though it has room", j.it.id, j.run.state.ID)
			}
		}
		return false
	}
	got := m.jobs(func(j *modelJob) bool { return j.it == it })[0]
	if !m.due(got) {
		m.Fatalf("job %s is not due, or in hand", it.id)
	}
	if key := m.room(got); key != "" {
		m.Fatalf("job %s was handed out without room in %s", it.id, key)
	}
	for _, other := range m.jobs(m.due) {
		if other.it.cell == it.cell && m.score(other) < m.score(got) {
			m.Fatalf("job %s comes before %s, whose score is lower", it.id, other.it.id)
		}
	}
	_, throttle, bucket := m.first(got)
	if throttle != nil {
		m.tats[bucket] = throttle.Take(m.tats[bucket], m.clock.now).TAT
	}
	if got.kind == run.KindStart {
		got.run.started = true
		got.admitted = got.admitted || throttle != nil || m.keys(got).Run != nil
	}
	got.leased, got.places = true, nil
	for _, one := range m.constraints(got) {
		got.places = append(got.places, one.Key)
	}
	return true
}

func (m *queueModel) limit(id uuid.UUID, settings *flow.Settings) {
	m.settings[id] = settings
	m.q.Limit(id, settings)
	for _, j := range m.jobs(func(j *modelJob) bool { return j.leased && j.run.state.FunctionID == id }) {
		for _, one := range m.constraints(j) {
			if !slices.Contains(j.places, one.Key) {
				j.places = append(j.places, one.Key)
			}
		}
	}
}

// done ends a job in hand, and with it its run if the run has no other.
func (m *queueModel) done(j *modelJob) {
	j.it.state = itemSettling
	m.q.apply(changes{current: j.it, fate: run.Disposition{Fate: run.FateDone}})
	j.run.jobs = slices.DeleteFunc(j.run.jobs, func(other *modelJob) bool { return other == j })
	switch next := rapid.SampledFrom([]run.Kind{"", run.KindEdge, run.KindSleep, run.KindPause}).Draw(m.T, "next"); {
	case next != "":
		m.add(j.run, next, m.clock.now.Add(time.Duration(rapid.IntRange(0, 2).Draw(m.T, "delay"))*time.Second))
	case len(j.run.jobs) == 0:
		m.end(j.run)
	}
}

// counts holds what the queue counts of each function against its jobs.
func (m *queueModel) counts() {
	want := map[uuid.UUID]ports.Depth{}
	for _, it := range m.q.items {
		id := it.cell.lane.function
		depth := want[id]
		depth.Function = id
		switch {
		case it.state == itemLeased || it.state == itemSettling:
			depth.InHand++
		case it.state == itemWaiting:
			depth.Later++
		case it.cell.blocker() != nil:
			depth.NoRoom++
		default:
			depth.Ready++
		}
		want[id] = depth
	}
	all, err := m.q.Depth(context.Background())
	if err != nil {
		m.Fatal(err)
	}
	got := map[uuid.UUID]ports.Depth{}
	for _, depth := range all {
		got[depth.Function] = depth
	}
	if !maps.Equal(got, want) {
		m.Fatalf("the depth is %+v, want %+v", got, want)
	}
}

// reasons holds why jobs wait against the model, once everything that has room is in hand.
func (m *queueModel) reasons() {
	for _, j := range m.jobs(func(*modelJob) bool { return true }) {
		why, err := m.q.Waiting(context.Background(), j.run.state.ID, []string{j.it.id})
		if err != nil || len(why) != 1 {
			m.Fatalf("job %s waits for %v, %v", j.it.id, why, err)
		}
		got, want := why[0], flow.DueLater
		switch key := m.room(j); {
		case j.leased:
			want = flow.InHand
		case !m.due(j):
		case strings.HasPrefix(j.it.cell.blocker().key, throttleBucket):
			want = flow.ForToken
		case key != "":
			want = flow.ForRoom
		}
		if got.Reason != want {
			m.Fatalf("job %s waits for %s, want %s", j.it.id, got.Reason, want)
		}
		if !m.due(j) {
			continue
		}
		ahead := m.jobs(func(other *modelJob) bool {
			return m.due(other) && other.it.cell.group.turn == j.it.cell.group.turn && other.it.before(j.it)
		})
		if got.Ahead != len(ahead) || got.AtLeast {
			m.Fatalf("%d jobs, more %t, come before job %s, want %d", got.Ahead, got.AtLeast, j.it.id, len(ahead))
		}
		functions := map[uuid.UUID]bool{}
		for _, other := range m.jobs(m.due) {
			if other.it.cell.blocker() == j.it.cell.blocker() {
				functions[other.run.state.FunctionID] = true
			}
		}
		if got.Functions != len(functions) {
			m.Fatalf("%d functions take turns with job %s, want %d", got.Functions, j.it.id, len(functions))
		}
	}
}

func (m *queueModel) end(r *modelRun) {
	r.state.Jobs = map[string]run.Kind{}
	for _, j := range r.jobs {
		r.state.Jobs[j.it.id] = j.kind
	}
	m.q.apply(changes{ended: &r.state})
	m.runs = slices.DeleteFunc(m.runs, func(other *modelRun) bool { return other == r })
}

func (m *queueModel) returned(j *modelJob) {
	j.leased, j.it.state = false, itemSettling
	due := max(j.it.due, m.clock.now.Add(time.Duration(rapid.IntRange(-1, 3).Draw(m.T, "later"))*time.Second).UnixNano())
	if rapid.Bool().Draw(m.T, "retried") {
		m.q.apply(changes{current: j.it, fate: run.Disposition{Fate: run.FateRetry, At: fromNanos(due), Attempt: int(j.it.attempt) + 1}})
		return
	}
	m.q.putBack(j.it, due)
}

// TestQueue_LimitsHoldAndNobodyWaitsInVain compares the queue with a model that looks at every job each time.
func TestQueue_LimitsHoldAndNobodyWaitsInVain(t *testing.T) {
	t.Parallel()
	functions := []uuid.UUID{{1}, {2}, {3}}
	settings, keys := map[uuid.UUID][]*flow.Settings{}, map[uuid.UUID][]*flow.Keys{}
	for _, id := range functions {
		settings[id] = append(variants(t, id), nil)
		for _, k := range []string{"a", "b", "c", "d"} {
			for _, of := range settings[id][:len(settings[id])-1] {
				for _, factor := range []int{0, 5, -1} {
					made := keysFor(of, k)
					if made == nil {
						made = &flow.Keys{}
					}
					made.Factor = factor
					keys[id] = append(keys[id], made)
				}
			}
		}
		keys[id] = append(keys[id], nil)
	}
	rapid.Check(t, func(r *rapid.T) {
		q, clock := bareQueue()
		m := &queueModel{T: r, q: q, clock: clock, settings: map[uuid.UUID]*flow.Settings{}, tats: map[string]time.Time{}}
		for _, id := range functions {
			m.limit(id, rapid.SampledFrom(settings[id]).Draw(r, "settings"))
		}
		inHand := func(j *modelJob) bool { return j.leased }
		for range rapid.IntRange(1, 150).Draw(r, "operations") {
			leased := m.jobs(inHand)
			switch op := rapid.IntRange(0, 12).Draw(r, "operation"); {
			case op < 4:
				id := rapid.SampledFrom(functions).Draw(r, "function")
				made := &modelRun{state: run.State{FunctionID: id, ID: ulid.ULID{14: byte(m.seq >> 8), 15: byte(m.seq)}, Keys: rapid.SampledFrom(keys[id]).Draw(r, "keys")}}
				_ = made.state.ID.SetTime(ulid.Timestamp(clock.now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(r, "age")) * time.Second)))
				m.runs = append(m.runs, made)
				m.add(made, run.KindStart, clock.now.Add(time.Duration(rapid.IntRange(-1, 3).Draw(r, "due"))*time.Second))
			case op < 6:
				m.take()
			case op == 6:
				for m.take() {
				}
			case op < 9 && len(leased) > 0:
				m.done(rapid.SampledFrom(leased).Draw(r, "done"))
			case op == 9 && len(leased) > 0:
				m.returned(rapid.SampledFrom(leased).Draw(r, "returned"))
			case op == 10 && len(m.runs) > 0:
				m.end(rapid.SampledFrom(m.runs).Draw(r, "cancelled"))
			case op == 11:
				id := rapid.SampledFrom(functions).Draw(r, "function")
				m.limit(id, rapid.SampledFrom(settings[id]).Draw(r, "settings"))
			default:
				clock.now = clock.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(r, "passes")) * time.Millisecond)
				q.wake()
			}
			m.counts()
		}
		for m.take() {
		}
		m.reasons()
		for len(m.runs) > 0 { // and nothing is left of what has ended
			m.end(m.runs[0])
			for m.take() {
			}
		}
		if len(q.items)+len(q.lanes)+len(q.blockers)+len(q.waits)+len(q.held)+len(q.started)+len(q.throttled)+len(q.waiting) > 0 || q.ready.turn != nil {
			r.Fatalf("left over: %+v", q)
		}
	})
}

// TestQueue_SharedKeyIsShared has one caller do the work of two functions that share a key of limit 1: they take turns, though one of them
// is always next in the ring when the place becomes free.
func TestQueue_SharedKeyIsShared(t *testing.T) {
	t.Parallel()
	q, clock := bareQueue()
	for _, id := range []uuid.UUID{{1}, {2}} {
		of := controls(t, id, function.Settings{Concurrency: &function.Concurrency{Step: []function.StepLimit{{Limit: 1, Key: "'all'", Scope: function.ScopeAccount}}}})
		q.Limit(id, of)
		for n := range 10 {
			it := newItem(run.Job{RunID: ulid.Make(), ID: fmt.Sprint(n), Kind: run.KindStart, At: clock.now}, nil)
			it.run.SetTime(ulid.Timestamp(clock.now))
			q.apply(changes{added: []addedJob{{it, id, keysFor(of, "")}}})
		}
	}
	var got []byte
	for range 20 {
		it := q.take()
		if it == nil || len(got) == 0 && q.take() != nil { // both wait; later, who was served last is ready still
			t.Fatalf("after %v: not exactly one job has room", got)
		}
		got = append(got, it.cell.lane.function[0])
		q.drop(it)
	}
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] {
			t.Fatalf("functions are served as %v", got)
		}
	}
}

// TestQueue_AdmissionThatCannotBeWritten hands nothing out, and takes no second token when the job comes again.
func TestQueue_AdmissionThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		injected := &faults{}
		dir := t.TempDir()
		e := mustOpen(t, Config{Dir: dir, fault: injected.check})
		of := controls(t, benchFunction, function.Settings{Throttle: &function.Throttle{Limit: 1, Period: function.Duration(time.Hour)}})
		e.Queue().Limit(benchFunction, of)
		next := benchRun(benchEvent())
		next.State.Keys = keysFor(of, "")
		if _, err := e.Store().Schedule(t.Context(), ports.Schedule{Runs: []ports.NewRun{next}}); err != nil {
			t.Fatal(err)
		}
		injected.set(1)
		if lease, err := e.Queue().Lease(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("leased %+v, %v", lease, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if lease, err := e.Queue().Lease(ended); err == nil {
			t.Fatalf("leased %+v", lease)
		}
		lease, err := e.Queue().Lease(t.Context())
		if err != nil || lease.Generation != 1 {
			t.Fatalf("leased %+v, %v", lease, err)
		}
		again := mustOpen(t, Config{Dir: crashed(t, dir)})
		again.Queue().Limit(benchFunction, of)
		if lease, err = again.Queue().Lease(t.Context()); err != nil || lease.Job.ID != next.Start.ID {
			t.Fatalf("leased %+v after a crash, %v", lease, err)
		}
		if len(again.queue.tats) != 1 {
			t.Errorf("%d buckets are known after a crash", len(again.queue.tats))
		}
	})
}

// TestQueue_ForgetsFullBuckets has a throttle whose key is another each time: what is kept of it does not grow for ever.
func TestQueue_ForgetsFullBuckets(t *testing.T) {
	t.Parallel()
	q, clock := bareQueue()
	of := controls(t, benchFunction, function.Settings{Throttle: &function.Throttle{Limit: 1, Period: function.Duration(time.Second)}})
	q.Limit(benchFunction, of)
	const count = 5000
	for n := range count {
		keys := &flow.Keys{Throttle: &flow.BucketKey{Hash: of.Throttle.Hash, Key: fmt.Sprint(n)}}
		it := newItem(run.Job{RunID: ulid.Make(), ID: fmt.Sprint(n), Kind: run.KindStart}, nil)
		_ = it.run.SetTime(ulid.Timestamp(clock.now))
		q.apply(changes{added: []addedJob{{it, benchFunction, keys}}})
		if got := q.take(); got != it {
			t.Fatalf("took %+v, want %+v", got, it)
		}
		q.drop(it)
		clock.now = clock.now.Add(10 * time.Millisecond)
	}
	if len(q.tats) < 100 || len(q.tats) > 2000 {
		t.Errorf("%d buckets are kept, about 100 of them not full", len(q.tats))
	}
	if len(q.unwritten) > 0 || len(q.lanes) > 0 {
		t.Errorf("left over: %d admissions, %d lanes", len(q.unwritten), len(q.lanes))
	}
}

// TestQueue_WaitersMoveTogether has two limits become free in turns while the other is full: who waits is not looked at one by one, and is
// handed out as soon as both have room.
func TestQueue_WaitersMoveTogether(t *testing.T) {
	t.Parallel()
	two := newTwoKeys(t, 100)
	waiting := func() *group {
		var found *group
		for _, turn := range two.q.waits {
			for _, g := range turn.groups {
				if g != nil && (found == nil || len(g.cells) > len(found.cells)) {
					found = g
				}
			}
		}
		return found
	}
	together, blockers := waiting(), map[string]bool{}
	for range 10 {
		for _, step := range []func(){two.sleep, two.nothing, two.end, two.take, two.end, two.nothing, two.sleep, two.take} {
			step()
			if waiting() != together || len(together.cells) < 90 {
				t.Fatalf("%d of 100 cells wait where they did", len(together.cells))
			}
			blockers[together.turn.blocker.key] = true
		}
	}
	if len(blockers) != 2 {
		t.Errorf("they waited under %v, not for both limits in turns", blockers)
	}
}
