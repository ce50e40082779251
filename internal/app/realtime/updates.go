package realtime

import (
	"context"
	"log/slog"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Updates tell subscribers how runs advance, on the channel that has the run's ID for its name:
//
//	{"kind":"run","data":{"status":"Running"},"created_at":"…","channel":"<run ID>","env_id":"…","topic":"$run","fn_id":"…","fn_slug":"…","run_id":"…"}
//
// A run has one update on the topic $run when it is about to be called for the first time and one when it has ended; each
// step has one on the topic $step, and on the topic of its own name, when it has got its memo. Like everything that is
// published, an update may be lost; the one of a start may come again after a crash. They come in the order of the run's
// commits: clients go when they hear of the end.
//
// It implements advance.Watcher, and nothing is encoded for nobody. Spec 04 §10.4–10.6.
type Updates struct {
	publisher *Publisher
	log       *slog.Logger

	mu sync.Mutex
	// turns are the runs with commits in hand that somebody will hear of.
	turns map[ulid.ULID]*turn
}

// turn is had by one commit of a run after the other.
type turn struct {
	// taken has room for one.
	taken chan struct{}
	// users have the turn or wait for it.
	users int
}

// NewUpdates returns updates that are published by a publisher.
func NewUpdates(publisher *Publisher, log *slog.Logger) *Updates {
	return &Updates{publisher: publisher, log: log, turns: map[ulid.ULID]*turn{}}
}

// Turn waits for the commits of the run that were begun before, if somebody hears of the run: the next call may be made,
// and its outcome be committed, before the one who committed the last step gets to tell of it.
func (u *Updates) Turn(id ulid.ULID) (end func()) {
	if !u.publisher.broadcast.Heard(ids.EnvID(), id.String()) {
		return func() {}
	}
	u.mu.Lock()
	t := u.turns[id]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		u.turns[id] = t
	}
	t.users++
	u.mu.Unlock()
	t.taken <- struct{}{}
	return func() {
		<-t.taken
		u.mu.Lock()
		defer u.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(u.turns, id)
		}
	}
}

// Advanced publishes what a transition has made true of a run, which was in state s before. It does not wait.
func (u *Updates) Advanced(ctx context.Context, s run.State, t run.Transition) {
	starts := t.Call != nil && s.StartedAt.IsZero()
	if !starts && len(t.Steps) == 0 && t.Finish == nil {
		return
	}
	channel := s.ID.String()
	if !u.publisher.broadcast.Heard(ids.EnvID(), channel) {
		return
	}
	on := Publication{EnvID: ids.EnvID(), Channel: channel, FnID: s.FunctionID, FnSlug: s.Slug, RunID: s.ID}
	if starts {
		u.tell(ctx, on, realtime.KindRun, "", realtime.RunStarted())
	}
	for _, step := range t.Steps {
		u.tell(ctx, on, realtime.KindStep, step.Name, realtime.StepEnded(step))
	}
	if t.Finish != nil {
		u.tell(ctx, on, realtime.KindRun, "", realtime.RunEnded(*t.Finish))
	}
}

func (u *Updates) tell(ctx context.Context, on Publication, kind realtime.MessageKind, name string, update realtime.Update) {
	// What has happened is told also when whoever made it happen has gone.
	ctx = context.WithoutCancel(ctx)
	if err := u.publisher.send(ctx, on.message(kind, name, update.Encode(), u.publisher.now())); err != nil {
		u.log.DebugContext(ctx, "update not published", "run_id", on.Channel, "error", err)
	}
}
