package embedded

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// Beginnings of the names of buckets, of rate limits and of throttles: names are unique within their kind of limit only.
const (
	rateBucket     = "rate:"
	throttleBucket = "throttle:"
	// throttleBeyond comes after all names of throttles.
	throttleBeyond = "throttle;"
)

// bucket reads when a bucket is full again; the zero time when it is. found says that there is a row.
func bucket(t *tx, name string) (tat time.Time, found bool, err error) {
	found, done, err := t.row(t.statements.getBucket, name)
	defer done()
	if found {
		tat = fromNanos(t.statements.getBucket.ColumnInt64(0))
	}
	return tat, found, err
}

// lockHolder is the run in progress that holds a lock, zero for none.
func lockHolder(t *tx, lock string) (holder ulid.ULID, err error) {
	found, done, err := t.row(t.statements.getLock, lock)
	defer done()
	if found {
		t.statements.getLock.ColumnBytes(0, holder[:])
	}
	return holder, err
}

// freeLock gives up the lock of a run that ends, if it still is the run's.
func freeLock(t *tx, owner ulid.ULID, lock string) error {
	if lock == "" {
		return nil
	}
	_, err := t.exec(t.statements.deleteLock, lock, owner[:])
	return err
}

// takeLock makes a lock the run's.
func takeLock(t *tx, owner ulid.ULID, lock string) error {
	if lock == "" {
		return nil
	}
	_, err := t.exec(t.statements.putLock, lock, owner[:])
	return err
}
