package embedded

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/run"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
	"github.com/ingothq/ingot/sql/sqlite/db"
)

// pauseRecord is a pause without its ID and the name of its event, which are columns.
func pauseRecord(pause run.Pause) []byte {
	record := &enginev1.Pause{
		Kind: string(pause.Kind), Op: pause.Op, Name: pause.Name, Signal: pause.Signal, Replace: pause.Replace, Expression: pause.Expression,
		CreatedAt: optionalNanos(pause.CreatedAt), Expires: optionalNanos(pause.Expires), Job: pause.Job,
		MaxAttempts: int64(pause.MaxAttempts), Mode: string(pause.Mode), CoalesceKey: pause.CoalesceKey,
	}
	if pause.Ignore != (ulid.ULID{}) {
		record.Ignore = pause.Ignore[:]
	}
	return marshal(record)
}

// pauseFromRecord is the inverse of pauseRecord.
func pauseFromRecord(id uuid.UUID, eventName string, body []byte) (run.Pause, error) {
	record := &enginev1.Pause{}
	if err := proto.Unmarshal(body, record); err != nil {
		return run.Pause{}, damaged("pause record", err)
	}
	ignore, err := parseULID(record.GetIgnore())
	if err != nil {
		return run.Pause{}, damaged("pause record: ignored event", err)
	}
	pause := run.Pause{
		ID: id, Kind: run.PauseKind(record.GetKind()), Op: record.GetOp(), Name: record.GetName(), Event: eventName, Signal: record.GetSignal(),
		Replace: record.GetReplace(), Expression: record.GetExpression(), Ignore: ignore, Job: record.GetJob(),
		MaxAttempts: int(record.GetMaxAttempts()), Mode: run.Mode(record.GetMode()), CoalesceKey: record.GetCoalesceKey(),
	}
	if record.CreatedAt != nil {
		pause.CreatedAt = time.Unix(0, record.GetCreatedAt()).UTC()
	}
	if record.Expires != nil {
		pause.Expires = time.Unix(0, record.GetExpires()).UTC()
	}
	return pause, nil
}

// optionalNanos is an instant as a record holds it, absent for none.
func optionalNanos(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	return proto.Int64(at.UnixNano())
}

// Kinds of parts of a run. The texts are stored.
const (
	partInput    = "input"
	partDefer    = "defer"
	partConsumed = "consumed"
)

// part is a row of what changes seldom in a run.
type part struct {
	kind, id string
	body     []byte
}

// consumedPart holds the consumed events, one after the other.
func consumedPart(consumed []ulid.ULID) part {
	return part{kind: partConsumed, body: joinULIDs(make([]byte, 0, len(consumed)*len(ulid.ULID{})), consumed)}
}

func deferPart(op string, d run.Defer) part {
	return part{kind: partDefer, id: op, body: marshal(&enginev1.Defer{Slug: d.Slug, Input: d.Input, Status: string(d.Status)})}
}

// stateParts lists all the parts that a new run has.
func stateParts(s run.State) []part {
	parts := deferParts(s.Defers)
	for op, input := range s.Inputs {
		parts = append(parts, part{kind: partInput, id: op, body: input})
	}
	if len(s.Consumed) > 0 {
		parts = append(parts, consumedPart(s.Consumed))
	}
	return parts
}

func deferParts(defers map[string]run.Defer) []part {
	parts := make([]part, 0, len(defers))
	for op, d := range defers {
		parts = append(parts, deferPart(op, d))
	}
	return parts
}

// hasParts tells whether a run has rows of parts.
func hasParts(s run.State) bool { return len(s.Defers)+len(s.Inputs)+len(s.Consumed) > 0 }

// applyPart fills a state from a row of stateParts.
func applyPart(s *run.State, row db.ListRunPartsRow) error {
	switch row.Kind {
	case partInput:
		if s.Inputs == nil {
			s.Inputs = map[string]json.RawMessage{}
		}
		s.Inputs[row.ID] = row.Body
	case partDefer:
		record := &enginev1.Defer{}
		if err := proto.Unmarshal(row.Body, record); err != nil {
			return damaged("defer record", err)
		}
		if s.Defers == nil {
			s.Defers = map[string]run.Defer{}
		}
		s.Defers[row.ID] = run.Defer{Slug: record.GetSlug(), Input: record.GetInput(), Status: run.DeferStatus(record.GetStatus())}
	case partConsumed:
		consumed, err := splitULIDs(row.Body)
		if err != nil {
			return damaged("consumed events", err)
		}
		s.Consumed = append(s.Consumed, consumed...)
	default:
		return damaged("part of the run", fmt.Errorf("kind %q is unknown", row.Kind))
	}
	return nil
}
