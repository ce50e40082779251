package apiv2

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// runFilter is what the two requests for lists of runs have in common.
type runFilter interface {
	GetCursor() string
	GetFrom() *timestamppb.Timestamp
	GetUntil() *timestamppb.Timestamp
	GetTimeField() string
	GetStatus() []string
	GetOrder() string
}

// readRunList reads what selects runs. The error is the answer.
func readRunList(filter runFilter, size *int32, deferred *bool) (list ports.RunList, err error) {
	if list.Limit, err = runLimit(size, maxPage); err != nil {
		return list, err
	}
	if list.Time, err = timeField(filter.GetTimeField()); err != nil {
		return list, err
	}
	if list.After, err = cursorIn(list.Time, filter.GetCursor()); err != nil {
		return list, err
	}
	list.From, list.Until = instant(filter.GetFrom()), instant(filter.GetUntil())
	if !list.From.IsZero() && !list.Until.IsZero() && !list.From.Before(list.Until) {
		return list, badFormat("from must be before until")
	}
	for _, text := range filter.GetStatus() {
		status, ok := statuses[strings.ToUpper(text)]
		if !ok {
			return list, badFormat("Status is invalid")
		}
		list.Statuses = append(list.Statuses, status)
	}
	switch strings.ToUpper(filter.GetOrder()) {
	case "", "DESC":
	case "ASC":
		list.Ascending = true
	default:
		return list, badFormat("order is invalid")
	}
	list.Deferred = deferred
	return list, nil
}

// statuses are those that runs can be selected by.
var statuses = map[string]ports.RunStatus{
	"QUEUED": ports.RunQueued, "RUNNING": ports.RunRunning, "COMPLETED": ports.RunCompleted, "FAILED": ports.RunFailed, "CANCELLED": ports.RunCancelled,
}

// timeField reads a field's name in camel, snake or upper case.
func timeField(text string) (ports.RunTime, error) {
	switch strings.ToLower(strings.ReplaceAll(text, "_", "")) {
	case "", "queuedat":
		return ports.ByQueued, nil
	case "startedat":
		return ports.ByStarted, nil
	case "endedat":
		return ports.ByEnded, nil
	}
	return ports.ByQueued, badFormat("timeField is invalid")
}

// runLimit is how many runs to return.
func runLimit(asked *int32, most int) (int, error) {
	if asked == nil {
		return defaultPage, nil
	}
	return limit(asked, most)
}

// cursorField is the field in cursors of a list. Spec 04 §11.7.
func cursorField(by ports.RunTime) trace.CursorField {
	if by == ports.ByEnded {
		return trace.FieldEnd
	}
	return trace.FieldStart
}

// cursorOf is the place of a run in a list.
func cursorOf(by ports.RunTime, run ports.RunSummary) string {
	return trace.Cursor{Run: run.RunID, Field: cursorField(by), At: run.At(by)}.String()
}

// cursorIn reads a place in a list; nil for the beginning.
func cursorIn(by ports.RunTime, text string) (*ports.RunCursor, error) {
	if text == "" {
		return nil, nil
	}
	cursor, err := trace.ParseCursor(text, cursorField(by))
	if err != nil {
		return nil, badFormat(textCursorInvalid)
	}
	return &ports.RunCursor{At: cursor.At, Run: cursor.Run}, nil
}

// instant is a time of a request; zero for none.
func instant(at *timestamppb.Timestamp) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.AsTime()
}
