package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/ports"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// openHold is what the row of a hold says that takes more events.
type openHold struct {
	id       ulid.ULID
	revision int64
	// due and maxAt are as the columns hold them, maxAt 0 for none.
	due, maxAt    int64
	events, bytes int
}

// findOpenHold returns the hold of a function, kind and key that takes more events, nil for none.
func findOpenHold(t *tx, function uuid.UUID, kind ports.HoldKind, key string) (*openHold, error) {
	stmt := t.statements.getOpenHold
	found, done, err := t.row(stmt, function[:], string(kind), key)
	if err != nil || !found {
		done()
		return nil, err
	}
	defer done()
	row := &openHold{
		revision: stmt.ColumnInt64(1), due: stmt.ColumnInt64(2), maxAt: stmt.ColumnInt64(3),
		events: stmt.ColumnInt(4), bytes: stmt.ColumnInt(5),
	}
	id := make([]byte, stmt.ColumnLen(0))
	stmt.ColumnBytes(0, id)
	row.id, err = holdID(id)
	return row, err
}

// holdIs says whether a hold is there at exactly that revision. It writes nothing.
func holdIs(t *tx, ref ports.HoldRef) (bool, error) {
	found, done, err := t.row(t.statements.getHoldRevision, ref.ID[:])
	defer done()
	return found && t.statements.getHoldRevision.ColumnInt64(0) == int64(ref.Revision), err
}

// heldEvent reads the event of a debounce.
func heldEvent(t *tx, id ulid.ULID) (event.Tracked, error) {
	stmt := t.statements.firstHoldEvent
	found, done, err := t.row(stmt, id[:])
	defer done()
	if err != nil {
		return event.Tracked{}, err
	}
	if !found {
		return event.Tracked{}, damaged("hold", errors.New("its event is missing"))
	}
	record := make([]byte, stmt.ColumnLen(0))
	stmt.ColumnBytes(0, record)
	return heldEventFrom(record)
}

// newHold is a hold to be created.
type newHold struct {
	id       ulid.ULID
	function uuid.UUID
	kind     ports.HoldKind
	key      string
	open     bool
	// due and maxAt are in nanoseconds since the epoch; maxAt is 0 for none.
	due, maxAt int64
	// event is its first, bytes the size of that.
	event ulid.ULID
	bytes int
}

// insert writes a hold with its first event.
func (n newHold) insert(t *tx, record []byte) (holdChange, error) {
	var maxAt any
	if n.maxAt != 0 {
		maxAt = n.maxAt
	}
	_, err := t.exec(t.statements.insertHold, n.id[:], n.function[:], string(n.kind), n.key, flag(n.open), n.due, maxAt, 1, n.bytes)
	if err == nil {
		_, err = t.exec(t.statements.insertHoldEvent, n.id[:], 0, record)
	}
	return holdChange{id: n.id, revision: 1, due: n.due, event: n.event}, err
}

// update writes a hold whose events are written beside it.
func (h *openHold) update(t *tx, open bool, due int64, events, bytes int) (holdChange, error) {
	_, err := t.exec(t.statements.updateHold, flag(open), due, events, bytes, h.id[:])
	return holdChange{id: h.id, revision: h.revision + 1, due: due}, err
}

// deleteHold deletes a hold with its events.
func deleteHold(t *tx, id ulid.ULID) error {
	if _, err := t.exec(t.statements.deleteHold, id[:]); err != nil {
		return err
	}
	_, err := t.exec(t.statements.deleteHoldEvents, id[:])
	return err
}

// parkHold moves a hold to where an operator sees it, with the IDs of those of its events that can be read.
func parkHold(ctx context.Context, t *tx, id ulid.ULID, reason string, now time.Time) error {
	records, err := t.queries.ListHoldEvents(context.WithoutCancel(ctx), id[:])
	if err != nil {
		return err
	}
	var ids []string
	for _, record := range records {
		if tracked, err := heldEventFrom(record); err == nil {
			ids = append(ids, tracked.InternalID.String())
		}
	}
	if err := deleteHold(t, id); err != nil {
		return err
	}
	_, err = t.exec(t.statements.insertParked, "hold", id.String(), nil, reason, now.UnixNano(), []byte(strings.Join(ids, ",")))
	return err
}

// holdFrom reads a hold with its events.
func holdFrom(ref ports.HoldRef, row db.GetHoldRow, records [][]byte) (ports.Hold, error) {
	function, err := uuid.FromBytes(row.FunctionID)
	if err != nil {
		return ports.Hold{}, damaged("hold: function", err)
	}
	next := ports.Hold{
		HoldRef: ref, FunctionID: function, Kind: ports.HoldKind(row.Kind), Key: row.Key, Due: fromNanos(row.DueAt),
		Events: make([]event.Tracked, len(records)),
	}
	if next.Kind != ports.HoldBatch && next.Kind != ports.HoldDebounce {
		return ports.Hold{}, damaged("hold", fmt.Errorf("kind %q", row.Kind))
	}
	if len(records) == 0 || len(records) != int(row.Events) {
		return ports.Hold{}, damaged("hold", fmt.Errorf("%d of %d events", len(records), row.Events))
	}
	for i, record := range records {
		if next.Events[i], err = heldEventFrom(record); err != nil {
			return ports.Hold{}, fmt.Errorf("hold: event %d: %w", i, err)
		}
	}
	return next, nil
}

// heldEventFrom reads the record of an event in a hold.
func heldEventFrom(column []byte) (event.Tracked, error) {
	record := &enginev1.Event{}
	if err := proto.Unmarshal(column, record); err != nil {
		return event.Tracked{}, damaged("event record", err)
	}
	return eventFromRecord(record)
}

// holdID reads the ID of a hold.
func holdID(column []byte) (id ulid.ULID, err error) {
	if len(column) != len(id) {
		return id, damaged("hold", fmt.Errorf("ID of %d bytes", len(column)))
	}
	copy(id[:], column)
	return id, nil
}

// flag is a truth as a column holds it.
func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
