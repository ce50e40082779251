package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	gqlgen "github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
	"github.com/ingothq/ingot/internal/adapters/graphql/loader"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
)

// Apps makes apps known and knows which were found.
type Apps interface {
	Add(ctx context.Context, url string) (function.App, error)
	Discovered(url string) bool
}

// Sync changes apps.
type Sync interface {
	Move(ctx context.Context, id uuid.UUID, url string) (function.App, error)
	RemoveID(ctx context.Context, id uuid.UUID) error
	RemoveName(ctx context.Context, name string) error
}

// Ingest accepts events.
type Ingest interface {
	Accept(ctx context.Context, events []event.Event, seed *ids.Seed, first int) ([]ulid.ULID, error)
}

// Runs gives orders to runs in progress.
type Runs interface {
	Cancel(ctx context.Context, id ulid.ULID) error
}

// Reruns starts runs again.
type Reruns interface {
	Run(ctx context.Context, id ulid.ULID, from *run.From) (ulid.ULID, error)
}

// History answers what happened in runs.
type History interface {
	loader.Past
	Run(ctx context.Context, id ulid.ULID) (ports.RunSummary, error)
	Runs(ctx context.Context, q history.Query) (history.Runs, error)
	CountRuns(ctx context.Context, q history.Query) (int, error)
	Output(ctx context.Context, outputID string) (trace.Output, error)
	Trigger(ctx context.Context, run ulid.ULID) (history.Trigger, error)
}

// Deps are what the API needs.
type Deps struct {
	Apps    Apps
	Sync    Sync
	Ingest  Ingest
	Runs    Runs
	Reruns  Reruns
	Past    History
	Catalog ports.Catalog
	Records ports.History
	Store   ports.Store
	// Gate has queries give way to runs; nil does not.
	Gate  *yield.Gate
	Clock ports.Clock
	IDs   ports.IDs
	Log   *slog.Logger
}

// Config bounds what one request may cost. Zero fields are the defaults.
type Config struct {
	// MaxBody is the size of a request's body: 4 MiB, for an invocation's data of 3 MiB.
	MaxBody int64
	// MaxQuery is the length of a query's text, 128 KiB, MaxTokens how many words and signs are in it, 4,000.
	MaxQuery, MaxTokens int
	// MaxDepth is how deep its fields may be nested: 25.
	MaxDepth int
	// MaxCost is how many fields its answer may have, by a rough estimate: 200,000.
	MaxCost int
	// Timeout is how long it may take: 30 s.
	Timeout time.Duration
}

func (c Config) complete() Config {
	orDefault(&c.MaxBody, 4<<20)
	orDefault(&c.MaxQuery, 128<<10)
	orDefault(&c.MaxTokens, 4000)
	orDefault(&c.MaxDepth, 25)
	orDefault(&c.MaxCost, 200_000)
	orDefault(&c.Timeout, 30*time.Second)
	return c
}

func orDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// api is what resolvers share.
type api struct {
	Deps
	config Config
}

// How many queries are kept read: those that clients repeat, and those that they name by a hash.
const (
	parsedQueries = 200
	namedQueries  = 100
)

// New returns the handler of the endpoint: queries by GET and POST, mutations by POST; OPTIONS says so, and other methods are an
// error like any other. It answers every request, also one whose resolver panics. Spec 05 §1.2.
func New(d Deps, config Config) http.Handler {
	a := &api{Deps: d, config: config.complete()}
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolvers{a}}))
	server.AddTransport(transport.Options{})
	server.AddTransport(transport.GET{})
	server.AddTransport(transport.POST{})
	server.SetQueryCache(lru.New[*ast.QueryDocument](parsedQueries))
	server.SetParserTokenLimit(a.config.MaxTokens)
	server.Use(extension.Introspection{})
	server.Use(textLimit(a.config.MaxQuery))
	server.Use(extension.AutomaticPersistedQuery{Cache: lru.New[string](namedQueries)})
	server.Use(costLimit{depth: a.config.MaxDepth, cost: a.config.MaxCost})
	server.AroundOperations(a.timed)
	server.AroundFields(a.resolved)
	server.SetErrorPresenter(present)
	server.SetRecoverFunc(a.recovered)
	return a.bounded(server)
}

// bounded reads the body, within its limit.
func (a *api) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodOptions { // whose answer is empty
			w = typed{w}
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.config.MaxBody))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			answer(w, http.StatusRequestEntityTooLarge, "request body is over the limit of %d bytes", tooLarge.Limit)
			return
		}
		if err != nil {
			answer(w, http.StatusBadRequest, "could not read request body")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// typed says once that every answer is JSON: some transports add the type, some leave it out.
type typed struct{ http.ResponseWriter }

func (t typed) WriteHeader(status int) {
	t.Header().Set("Content-Type", "application/json")
	t.ResponseWriter.WriteHeader(status)
}

func (t typed) Write(text []byte) (int, error) {
	t.Header().Set("Content-Type", "application/json")
	n, err := t.ResponseWriter.Write(text)
	return n, err //nolint:wrapcheck // it is the caller's own writer
}

func answer(w http.ResponseWriter, status int, format string, args ...any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(gqlgen.Response{Errors: gqlerror.List{gqlerror.Errorf(format, args...)}})
}

// timed ends queries that take too long. What they have until then is not shown: nobody could tell what is missing.
func (a *api) timed(ctx context.Context, next gqlgen.OperationHandler) gqlgen.ResponseHandler {
	respond := next(ctx)
	return func(ctx context.Context) *gqlgen.Response {
		limited, cancel := context.WithTimeout(ctx, a.config.Timeout)
		defer cancel()
		var response *gqlgen.Response
		if leave, err := a.enter(limited); err == nil {
			defer leave()
			response = respond(limited)
		}
		if limited.Err() != nil && ctx.Err() == nil {
			return &gqlgen.Response{Errors: gqlerror.List{gqlerror.Errorf("the query takes longer than %s", a.config.Timeout)}}
		}
		return response
	}
}

// enter waits until a query has its turn. Mutations do not wait.
func (a *api) enter(ctx context.Context) (leave func(), err error) {
	if operation := gqlgen.GetOperationContext(ctx).Operation; operation != nil && operation.Operation != ast.Query {
		return func() {}, nil
	}
	return a.Gate.Enter(ctx) //nolint:wrapcheck // the cause of the query's own context
}
