// Package httpapi serves the HTTP API: events, registration, the dev API, and the first of the REST routes. It reads
// requests, asks the application, and writes answers in the shapes that existing clients know. It decides nothing.
//
// Source: spec 03; spec 01 §3, §4; spec 04 §2–§7.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/cors"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
)

// Kind is what the server calls itself in X-Inngest-Server-Kind.
type Kind string

// Kinds of servers. SDKs know the self-hosted server as "cloud".
const (
	KindDev   Kind = "dev"
	KindCloud Kind = "cloud"
)

// Config are the settings of the API.
type Config struct {
	Kind Kind
	// SigningKey opens the management routes; empty leaves them open.
	SigningKey string
	// EventKeys are accepted by the event API; none accepts every key.
	EventKeys []string
	// Version is reported by /dev.
	Version string
	// StartOptions are reported by /dev.
	StartOptions StartOptions
}

// Ingest accepts events.
type Ingest interface {
	Accept(ctx context.Context, events []event.Event, seed *ids.Seed, first int) ([]ulid.ULID, error)
}

// Sync registers and removes apps.
type Sync interface {
	Register(ctx context.Context, body []byte) (appsync.Result, error)
	Remove(ctx context.Context, url string) error
}

// Runs gives orders to runs in progress.
type Runs interface {
	Cancel(ctx context.Context, id ulid.ULID) error
}

// Limits are the overrides that tests of apps set.
type Limits interface {
	SetSteps(fn uuid.UUID, limit int)
	SetState(fn uuid.UUID, limit int)
	DropSteps(fn uuid.UUID) bool
	DropState(fn uuid.UUID) bool
}

// Functions lists what is registered.
type Functions interface {
	Functions() []function.Function
}

// Deps are what the API needs.
type Deps struct {
	Ingest    Ingest
	Sync      Sync
	Runs      Runs
	Store     ports.Store
	History   ports.History
	Functions Functions
	Limits    Limits
	Clock     ports.Clock
	IDs       ports.IDs
	Log       *slog.Logger
}

type api struct {
	Deps
	config Config
}

// New returns the handler of the main port.
func New(d Deps, config Config) http.Handler {
	a := &api{Deps: d, config: config}
	e := echo.New()
	e.HTTPErrorHandler = a.handleError
	e.POST("/e/:key", a.receiveEvents)
	e.GET("/health", a.health)

	managed := e.Group("", a.requireSigningKey)
	managed.POST("/invoke/:slug", a.invoke)
	managed.GET("/dev", a.dev)
	managed.POST("/fn/register", a.register)
	managed.DELETE("/fn/remove", a.remove)
	managed.POST("/fn/step-limit", a.setLimit(d.Limits.SetSteps))
	managed.DELETE("/fn/step-limit", a.dropLimit(d.Limits.DropSteps, "step limit"))
	managed.POST("/fn/state-size-limit", a.setLimit(d.Limits.SetState))
	managed.DELETE("/fn/state-size-limit", a.dropLimit(d.Limits.DropState, "state size limit"))

	managed.GET("/v0/runs/:run/actions", a.actions)
	managed.GET("/v0/runs/:run/batch", a.batch)
	managed.DELETE("/v0/runs/:run", a.cancelV0)
	managed.POST("/v0/telemetry", a.telemetry)

	managed.GET("/v1/events", a.events)
	managed.GET("/v1/events/:id", a.event)
	managed.GET("/v1/events/:id/runs", a.eventRuns)
	managed.GET("/v1/runs/:id", a.run)
	managed.DELETE("/v1/runs/:id", a.cancel)

	return a.cors(a.serverKind(e))
}

// cors admits every origin, as browsers of any app may send events. Spec 03 §3.2.
func (a *api) cors(next http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowOriginFunc: func(*http.Request, string) bool { return true },
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions},
		AllowedHeaders:  []string{"*"},
		ExposedHeaders:  []string{"Link", "Mcp-Session-Id"},
		MaxAge:          int((time.Hour).Seconds()),
	})(next)
}

func (a *api) serverKind(next http.Handler) http.Handler {
	kind := []string{string(a.config.Kind)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Inngest-Server-Kind"] = kind
		next.ServeHTTP(w, r)
	})
}

// handleError answers what no handler did: unknown routes, wrong methods, and errors that escaped.
func (a *api) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	if he, ok := err.(*echo.HTTPError); ok { //nolint:errorlint // echo returns its errors bare
		status = he.Code
	}
	switch status {
	case http.StatusNotFound:
		http.NotFound(c.Response(), c.Request())
	case http.StatusMethodNotAllowed:
		allowed := c.Response().Header().Get(echo.HeaderAllow)
		c.Response().Header().Del(echo.HeaderAllow)
		for method := range strings.SplitSeq(allowed, ", ") {
			if method != http.MethodOptions {
				c.Response().Header().Add(echo.HeaderAllow, method)
			}
		}
		c.Response().WriteHeader(status)
	default:
		a.Log.ErrorContext(c.Request().Context(), "request failed", "route", c.Path(), "error", err)
		writeError(c, status, "", "Internal server error")
	}
}

func (a *api) health(c echo.Context) error {
	return writeJSON(c, http.StatusOK, struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}{http.StatusOK, "OK"})
}
