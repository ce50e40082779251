package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/ports"
)

// testRoutes are for tests of apps, and there in test mode only. Spec 04 §14.
func (a *api) testRoutes() []route {
	if !a.config.TestMode {
		return nil
	}
	return []route{
		{http.MethodGet, "/test/", managed, func(c echo.Context) error { return c.String(http.StatusOK, "OK") }},
		{http.MethodPost, "/test/reset", managed, a.testReset},
		{http.MethodGet, "/test/queue/function-queue-size", managed, a.testQueueSize},
		{http.MethodPost, "/test/function/pause", managed, a.testPause},
		{http.MethodPost, "/test/function/runs/cancel", managed, a.testCancel},
	}
}

// resetPage is how many runs are listed at once.
const resetPage = 100

// testReset is POST /test/reset: every run in progress is cancelled. The reference empties its Redis instead, which leaves runs that never
// end, and forgets limits and what waits in batches; here those stay, as they do on its disk.
func (a *api) testReset(c echo.Context) error {
	ctx := context.WithoutCancel(c.Request().Context())
	functions, err := a.Catalog.Functions(ctx)
	for i := 0; i < len(functions) && err == nil; i++ {
		err = a.cancelAll(ctx, functions[i].ID)
	}
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, "ok")
}

func (a *api) cancelAll(ctx context.Context, function uuid.UUID) error {
	query := ports.RunsQuery{Function: function, Limit: resetPage}
	for {
		runs, err := a.Store.RunsOf(ctx, query)
		if err != nil || len(runs) == 0 {
			return err
		}
		for _, id := range runs {
			if err := a.Runs.Cancel(ctx, id); err != nil && !errors.Is(err, ports.ErrNotFound) {
				return err
			}
			query.Cursor = id
		}
	}
}

// testQueueSize is GET /test/queue/function-queue-size: how many jobs a function has, those in hand too.
func (a *api) testQueueSize(c echo.Context) error {
	ids, ok := testIDs(c, "accountId", "fnId")
	if !ok {
		return nil
	}
	all, err := a.Queue.Depth(c.Request().Context())
	if err != nil {
		return err
	}
	count := 0
	for _, depth := range all {
		if depth.Function == ids[1] {
			count = depth.Ready + depth.NoRoom + depth.Later + depth.InHand
		}
	}
	return writeJSON(c, http.StatusOK, struct {
		Count int `json:"count"`
	}{count})
}

// testPause is POST /test/function/pause.
func (a *api) testPause(c echo.Context) error {
	ids, ok := testIDs(c, "fnId")
	if !ok {
		return nil
	}
	return a.testDone(c, a.pauseByID(c, ids[0]))
}

// testCancel is POST /test/function/runs/cancel: it pauses the function and cancels the run.
func (a *api) testCancel(c echo.Context) error {
	ids, ok := testIDs(c, "accountId", "fnId")
	if !ok {
		return nil
	}
	run, err := ulid.ParseStrict(c.QueryParam("runId"))
	if err != nil {
		return c.String(http.StatusBadRequest, "Invalid runId")
	}
	if err = a.pauseByID(c, ids[1]); err == nil {
		err = a.Runs.Cancel(context.WithoutCancel(c.Request().Context()), run)
	}
	return a.testDone(c, err)
}

func (a *api) pauseByID(c echo.Context, id uuid.UUID) error {
	_, err := a.Pauses.SetByID(context.WithoutCancel(c.Request().Context()), id, true)
	return err
}

func (a *api) testDone(c echo.Context, err error) error {
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return c.String(http.StatusNotFound, "Not found")
	case err != nil:
		return err
	}
	return c.String(http.StatusOK, "OK")
}

// testIDs reads the query's UUIDs, or answers which one is none.
func testIDs(c echo.Context, names ...string) ([]uuid.UUID, bool) {
	ids := make([]uuid.UUID, len(names))
	for i, name := range names {
		id, err := uuid.Parse(c.QueryParam(name))
		if err != nil {
			_ = c.String(http.StatusBadRequest, "Invalid "+name)
			return nil, false
		}
		ids[i] = id
	}
	return ids, true
}
