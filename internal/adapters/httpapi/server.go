// Package httpapi serves the HTTP API: events, registration, the dev API, and the first of the REST routes. It reads
// requests, asks the application, and writes answers in the shapes that existing clients know. It decides nothing.
//
// Source: spec 03; spec 01 §3, §4; spec 04 §2–§7.
package httpapi

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/cors"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/session"
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
	// SigningKeyFallback opens them too, beside SigningKey; empty for none.
	SigningKeyFallback string
	// EventKeys are accepted by the event API; none accepts every key.
	EventKeys []string
	// TestMode serves the routes below /test.
	TestMode bool
	// NoMetadata refuses metadata of runs and steps.
	NoMetadata bool
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
	Ingest        Ingest
	Sync          Sync
	Runs          Runs
	Signals       Signals
	Cancellations Cancellations
	Pauses        Pauses
	Checkpoints   Checkpoints
	Store         ports.Store
	Queue         ports.Queue
	Catalog       ports.Catalog
	History       ports.History
	Metadata      ports.Metadata
	Functions     Functions
	Limits        Limits
	// Realtime serves the realtime routes; nil serves none.
	Realtime *Realtime
	// Metrics serves GET /metrics; nil serves none.
	Metrics http.Handler
	// GraphQL serves the GraphQL endpoint; nil serves none.
	GraphQL http.Handler
	// Gate has requests that only read give way to runs; nil does not.
	Gate *yield.Gate
	// Mounts are what others serve on the same port.
	Mounts []Mount
	Tokens ports.Tokens
	Clock  ports.Clock
	IDs    ports.IDs
	Log    *slog.Logger
}

type api struct {
	Deps
	config    Config
	eventKeys [][sha256.Size]byte
	// allowed are the methods of each path of the route table.
	allowed map[string][]string

	// sessions guards what is known of sessions and of who tries to begin one.
	sessions sync.Mutex
	attempts *session.Attempts
	ended    session.Ended
}

// New returns the handler of the main port. It answers every request, also one whose handler panics.
func New(d Deps, config Config) http.Handler {
	a := &api{Deps: d, config: config, allowed: map[string][]string{}, attempts: session.NewAttempts()}
	for _, key := range config.EventKeys {
		a.eventKeys = append(a.eventKeys, sha256.Sum256([]byte(key)))
	}
	return a.cors(a.serverKind(a.router()))
}

// cors admits every origin, as browsers of any app may send events. Spec 03 §3.2. What GraphQL answers is for pages of this server
// only, but in development, where dashboards are served from elsewhere.
func (a *api) cors(next http.Handler) http.Handler {
	handler := cors.Handler(cors.Options{
		AllowOriginFunc: func(*http.Request, string) bool { return true },
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions},
		AllowedHeaders:  []string{"*"},
		ExposedHeaders:  []string{"Link", "Mcp-Session-Id"},
		MaxAge:          int((time.Hour).Seconds()),
	})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == graphQLPath && a.config.Kind != KindDev {
			next.ServeHTTP(w, r)
			return
		}
		// To the library a preflight without an origin is none.
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && r.Header["Origin"] == nil {
			w.Header()["Vary"] = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
			w.WriteHeader(http.StatusOK)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func (a *api) serverKind(next http.Handler) http.Handler {
	kind := []string{string(a.config.Kind)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Inngest-Server-Kind"] = kind
		next.ServeHTTP(w, r)
	})
}

func (a *api) health(c echo.Context) error {
	return writeJSON(c, http.StatusOK, struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}{http.StatusOK, "OK"})
}
