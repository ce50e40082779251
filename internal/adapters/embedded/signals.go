package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// A signal belongs to one run. Whose it is, is a row and nothing else: commits of one batch see what those before them
// wrote, and a run whose signal was taken over keeps its pause, so the pauses do not tell.

// SignalWaiter implements ports.Store.
func (st *store) SignalWaiter(ctx context.Context, signal string) (ulid.ULID, error) {
	if ctx.Err() != nil {
		return ulid.ULID{}, context.Cause(ctx)
	}
	var owner []byte
	err := st.db.read(ctx, func(q *db.Queries) (err error) {
		owner, err = q.GetSignal(ctx, signal)
		return err
	})
	if err != nil {
		return ulid.ULID{}, fmt.Errorf("find who waits for signal %q: %w", signal, err)
	}
	id, err := parseULID(owner)
	if err != nil {
		return ulid.ULID{}, damaged("signal "+signal, err)
	}
	return id, nil
}

// checkSignals refuses a commit that waits for another run's signal. It comes before the first write, and leaves it to
// that write to refuse a commit on another revision, which comes first.
func checkSignals(t *tx, p *plannedCommit) error {
	if p.Transition.Finish != nil || !slices.ContainsFunc(p.Transition.Pauses, isSignal) {
		return nil
	}
	found, done, err := t.row(t.statements.getRevision, p.State.ID[:])
	if err != nil {
		return err
	}
	current := found && t.statements.getRevision.ColumnInt64(0) == p.State.Revision
	done()
	if !current {
		return nil
	}
	for _, pause := range p.Transition.Pauses {
		if !isSignal(pause) || pause.Replace {
			continue
		}
		found, done, err := t.row(t.statements.getSignal, pause.Signal)
		if err != nil {
			return err
		}
		var owner ulid.ULID
		if found {
			t.statements.getSignal.ColumnBytes(0, owner[:])
		}
		done()
		if found && owner != p.State.ID {
			return t.refuse(&ports.SignalTakenError{Signal: pause.Signal, Run: owner})
		}
	}
	return nil
}

// freeSignal gives up the signal of a pause that ends, if it still is the run's.
func freeSignal(t *tx, owner ulid.ULID, pause run.Pause) error {
	if !isSignal(pause) {
		return nil
	}
	_, err := t.exec(t.statements.deleteSignal, pause.Signal, owner[:])
	return err
}

// takeSignal makes the signal of a pause that begins the run's.
func takeSignal(t *tx, owner ulid.ULID, pause run.Pause) error {
	if !isSignal(pause) {
		return nil
	}
	_, err := t.exec(t.statements.putSignal, pause.Signal, owner[:])
	return err
}

func isSignal(pause run.Pause) bool { return pause.Kind == run.PauseSignal }
