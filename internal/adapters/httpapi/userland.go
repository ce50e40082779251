package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// userland is POST /v1/traces/userland: spans that apps made themselves in a run, as OpenTelemetry exports them. They are stored before
// the answer; sending them again stores nothing. Spec 04 §9.
func (a *api) userland(c echo.Context) error {
	encoding := encodingOf(c.Request())
	body, code, message := readTraces(c)
	if message != "" {
		return encoding.refuse(c, code, message)
	}
	spans, err := encoding.decode(body)
	if err != nil {
		return encoding.refuse(c, http.StatusBadRequest, "Invalid payload")
	}
	ctx := context.WithoutCancel(c.Request().Context())
	taken := taking{api: a, runs: map[ulid.ULID]*ownerOfRun{}, refused: map[string]int64{}}
	for _, span := range spans {
		if err = taken.add(ctx, span); err != nil {
			break
		}
	}
	if err == nil {
		err = taken.store(ctx)
	}
	if err != nil {
		a.Log.ErrorContext(ctx, "store spans of an app", "error", err)
		// Exporters try again after this one.
		return encoding.refuse(c, http.StatusServiceUnavailable, "The run store is unavailable")
	}
	refused, why := taken.summary()
	return encoding.answer(c, refused, why)
}

// taking are the spans of a request as they are taken or refused.
type taking struct {
	api  *api
	rows []trace.Span
	// runs are those that were looked up; nil for one that is not known.
	runs map[ulid.ULID]*ownerOfRun
	// refused counts reasons.
	refused map[string]int64
}

// ownerOfRun is what a run is of.
type ownerOfRun struct{ app, function uuid.UUID }

// add takes a span or refuses it; an error says that neither can be decided.
func (t *taking) add(ctx context.Context, span trace.UserSpan) error {
	row, err := trace.UserlandSpan(span)
	if err != nil {
		t.refused[err.Error()]++
		return nil
	}
	owner, err := t.ownerOf(ctx, row.Run)
	if err != nil {
		return err
	}
	if owner == nil {
		t.refused["its run is not known"]++
		return nil
	}
	row.App, row.Function = owner.app, owner.function
	t.rows = append(t.rows, row)
	return nil
}

// store stores what was taken.
func (t *taking) store(ctx context.Context) error {
	if len(t.rows) == 0 {
		return nil
	}
	left, err := t.api.History.AddSpans(ctx, t.rows)
	if left > 0 {
		t.refused["its run has as many as it may, or is gone"] += int64(left)
	}
	return err
}

func (t *taking) ownerOf(ctx context.Context, run ulid.ULID) (*ownerOfRun, error) {
	if owner, known := t.runs[run]; known {
		return owner, nil
	}
	record, err := t.api.History.Run(ctx, run)
	if errors.Is(err, ports.ErrNotFound) {
		t.runs[run] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	owner := &ownerOfRun{function: record.FunctionID}
	fn, err := ports.One(t.api.Catalog.FunctionsByID(ctx, []uuid.UUID{record.FunctionID}))
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return nil, err
	}
	owner.app = fn.AppID
	t.runs[run] = owner
	return owner, nil
}

// summary is how many spans were refused and why, the commonest reason first.
func (t *taking) summary() (count int64, why string) {
	reasons := slices.SortedFunc(maps.Keys(t.refused), func(x, y string) int { return cmp.Or(cmp.Compare(t.refused[y], t.refused[x]), cmp.Compare(x, y)) })
	for i, reason := range reasons {
		count += t.refused[reason]
		reasons[i] = fmt.Sprintf("%d: %s", t.refused[reason], reason)
	}
	return count, strings.Join(reasons, "; ")
}
