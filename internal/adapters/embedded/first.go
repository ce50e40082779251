package embedded

import (
	"context"
	"fmt"

	"github.com/ingothq/ingot/sql/sqlite/db"
)

// writeAdmission makes durable that a job in hand has what the first of its run needs: the token of the throttle is spent, and the run
// counts. It is called before the job is handed out, so that a crash can only lose what nobody has seen. What is written is the bucket as it
// is by then: later tokens may be among it, and no earlier state comes after it.
func (q *queue) writeAdmission(ctx context.Context, it *item) error {
	q.mu.Lock()
	name, unwritten := q.unwritten[it]
	q.mu.Unlock()
	if !unwritten { // its run ended
		return nil
	}
	created := false
	err := q.writer.do(ctx, &operation{
		size: 200 + len(name),
		apply: func(t *tx) error {
			q.mu.Lock()
			tat := q.tats[name]
			q.mu.Unlock()
			created = false
			if tat != 0 {
				_, found, err := bucket(t, name)
				if err != nil {
					return err
				}
				created = !found
				if _, err := t.exec(t.statements.putBucket, name, tat); err != nil {
					return err
				}
			}
			_, err := t.exec(t.statements.admitJob, it.run[:], it.id)
			return err
		},
		committed: func() {
			q.mu.Lock()
			delete(q.unwritten, it)
			it.unwritten = false
			q.mu.Unlock()
			if created {
				q.writer.keep.counted()
			}
		},
	})
	if err != nil {
		return fmt.Errorf("admit job %s: %w", it.id, err)
	}
	return nil
}

// restoreBuckets reads the throttles that are not full.
func (q *queue) restoreBuckets(ctx context.Context, queries *db.Queries) error {
	rows, err := queries.ListBuckets(ctx, db.ListBucketsParams{
		Now: q.cfg.Clock.Now().UnixNano(), First: throttleBucket, Beyond: throttleBeyond,
	})
	if err != nil {
		return translate(err)
	}
	for _, row := range rows {
		q.tats[row.Name] = row.Tat
	}
	return nil
}
