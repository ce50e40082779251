// Package apiv2 serves version 2 of the API, as proto/api/v2 describes it: as gRPC, gRPC-Web and Connect, and as REST in the
// shapes that existing clients know. It reads requests, asks the application, and writes answers. It decides nothing.
//
// The service is written once, for RPC. REST requests are transcoded by the library after the rules in the proto files;
// what of REST is older than these rules, its errors and the way it writes values, is in rest.go and codec.go.
//
// Source: spec 04 §11; spec 03 §12.
package apiv2

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
	"github.com/ingothq/ingot/proto/api/v2/apiv2connect"
)

// Config are the settings of the API.
type Config struct {
	// SigningKey and EventKeys are what the server accepts. They are listed, masked.
	SigningKey string
	EventKeys  []string
	// NoMetadata refuses scores.
	NoMetadata bool
	// Timeout bounds how long a request may take; zero means 30 seconds.
	Timeout time.Duration
}

// Ingest accepts events.
type Ingest interface {
	Accept(ctx context.Context, events []event.Event, seed *ids.Seed, first int) ([]ulid.ULID, error)
}

// Functions finds functions, registered or archived.
type Functions interface {
	// Find returns the active function with the slug.
	Find(slugOrID string) (function.Function, bool)
	Function(ctx context.Context, id uuid.UUID) (function.Function, error)
	Standing(function uuid.UUID) run.Standing
}

// Invoker starts functions.
type Invoker interface {
	Invoke(ctx context.Context, fn function.Function, data json.RawMessage, key string) (invoke.Started, error)
}

// Reruns starts runs again.
type Reruns interface {
	Run(ctx context.Context, id ulid.ULID, from *run.From) (ulid.ULID, error)
}

// Runs gives orders to runs in progress.
type Runs interface {
	Cancel(ctx context.Context, id ulid.ULID) error
}

// Reader answers what happened.
type Reader interface {
	// Run returns a run; ports.ErrNotFound when it is not known.
	Run(ctx context.Context, id ulid.ULID) (ports.RunSummary, error)
	Runs(ctx context.Context, q history.Query) (history.Runs, error)
	RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]ports.RunSummary, error)
	// Trace returns the tree of what happened in a run; ports.ErrNotFound when nothing is known of it.
	Trace(ctx context.Context, id ulid.ULID, preview bool) (*trace.Node, error)
	Output(ctx context.Context, outputID string) (trace.Output, error)
}

// Deps are what the API needs.
type Deps struct {
	Ingest    Ingest
	Functions Functions
	Invoker   Invoker
	Reruns    Reruns
	Runs      Runs
	Reader    Reader
	Catalog   ports.Catalog
	History   ports.History
	Metadata  ports.Metadata
	// Gate has methods that only read give way to runs; nil does not.
	Gate  *yield.Gate
	Clock ports.Clock
	Log   *slog.Logger
}

// service implements the methods.
type service struct {
	Deps

	config Config
}

var _ apiv2connect.APIServiceHandler = (*service)(nil)

// metadata is what comes with every answer.
func (s *service) metadata() *api.ResponseMetadata {
	return &api.ResponseMetadata{FetchedAt: timestamppb.New(s.Clock.Now())}
}

// answer is a response without headers.
func answer[T any](message *T, err error) (*connect.Response[T], error) {
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(message), nil
}

// Health implements apiv2connect.APIServiceHandler.
func (s *service) Health(context.Context, *connect.Request[api.HealthRequest]) (*connect.Response[api.HealthResponse], error) {
	return answer(&api.HealthResponse{Data: &api.HealthData{Status: "ok"}, Metadata: s.metadata()}, nil)
}
