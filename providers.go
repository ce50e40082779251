package ingot

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/embedded"
	"github.com/ingothq/ingot/internal/adapters/gatewayhttp"
	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/meter"
	"github.com/ingothq/ingot/internal/adapters/sdkhttp"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/appsync"
	"github.com/ingothq/ingot/internal/app/cancel"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/cron"
	"github.com/ingothq/ingot/internal/app/execute"
	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/app/hold"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/invoke"
	"github.com/ingothq/ingot/internal/app/metering"
	"github.com/ingothq/ingot/internal/app/pausing"
	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/app/rerun"
	"github.com/ingothq/ingot/internal/app/route"
	starting "github.com/ingothq/ingot/internal/app/start"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/config"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/ports"
)

// closeTimeout bounds how long the store may take to write what it accepted.
const closeTimeout = 10 * time.Second

// newMeter counts what the queue, the store and the executor do.
func newMeter(cfg config.Config) *meter.Meter {
	return meter.New(meter.Config{Lifecycle: cfg.PromMetrics})
}

func openEngine(ctx context.Context, cfg config.Config, m ports.Meter, clock ports.Clock, log *slog.Logger) (*embedded.Engine, func(), error) {
	dir := ""
	if cfg.Persist {
		dir = cfg.SQLiteDir
	}
	engine, err := embedded.Open(ctx, embedded.Config{Dir: dir, Clock: clock, Logger: log, Meter: m})
	if err != nil {
		return nil, nil, err
	}
	return engine, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			log.ErrorContext(ctx, "close store", "error", err)
		}
	}, nil
}

func eventLogOf(e *embedded.Engine) ports.EventLog { return e.EventLog() }
func queueOf(e *embedded.Engine) ports.Queue       { return e.Queue() }
func holdsOf(e *embedded.Engine) ports.Holds       { return e.Holds() }
func catalogOf(e *embedded.Engine) ports.Catalog   { return e.Catalog() }
func historyOf(e *embedded.Engine) ports.History   { return e.History() }
func metadataOf(e *embedded.Engine) ports.Metadata { return e.Metadata() }

// newStore has the meter told of what is committed.
func newStore(e *embedded.Engine, m ports.Meter) ports.Store { return metering.NewStore(e.Store(), m) }

// newLimits holds the limits of runs.
func newLimits(cfg config.Config) *execute.Overrides {
	return &execute.Overrides{NoMetadata: !cfg.Metadata}
}

func cancellationsOf(e *embedded.Engine) ports.Cancellations { return e.Cancellations() }

func newSyncer(catalog ports.Catalog, reg *registry.Registry, log *slog.Logger) *appsync.Syncer {
	return appsync.NewSyncer(catalog, reg, function.Checks{Expression: compiles, Condition: expr.CheckRestricted}, log)
}

// compiles says whether a text is an expression.
func compiles(text string) error {
	_, err := expr.Compile(text)
	return err
}

func newPoller(cfg config.Config, syncer *appsync.Syncer, catalog ports.Catalog, worker ports.Worker, log *slog.Logger) *appsync.Poller {
	var more []string
	if cfg.DiscoveryPort != "" && cfg.DiscoveryPort != strconv.Itoa(cfg.Port) {
		more = append(more, cfg.DiscoveryPort)
	}
	return appsync.NewPoller(syncer, catalog, worker, log, appsync.PollerConfig{
		URLs: cfg.SDKURLs, Healthy: cfg.PollHealthy, Interval: cfg.PollInterval,
		Discover: cfg.Discovery, DiscoveryURLs: appsync.DiscoveryURLs(more...),
	})
}

func newRouter(events ports.EventLog, store ports.Store, history ports.History, reg *registry.Registry, in *ingest.Ingest, updates *realtime.Updates, clock ports.Clock, ids ports.IDs, log *slog.Logger) *route.Router {
	return route.New(route.Deps{EventLog: events, Store: store, Functions: reg, Events: history, Tracker: in, Watcher: updates, Clock: clock, IDs: ids, Log: log})
}

// newScheduler fires cron triggers. Schedules that name no zone are in UTC, whatever the machine's zone. Spec 16 §1.
func newScheduler(store ports.Store, catalog ports.Catalog, reg *registry.Registry, in *ingest.Ingest, updates *realtime.Updates, clock ports.Clock, ids ports.IDs, log *slog.Logger) *cron.Scheduler {
	s := cron.New(cron.Deps{
		Store: store, Catalog: catalog, Functions: reg, Tracker: in, Watcher: updates, Clock: clock, IDs: ids, Log: log, Zone: time.UTC,
	})
	reg.Observe(s)
	return s
}

// newRegistry knows what is registered, and has the queue know what limits it and the meter what functions are called.
func newRegistry(catalog ports.Catalog, queue ports.Queue, m *meter.Meter, log *slog.Logger) *registry.Registry {
	reg := registry.New(catalog, log)
	reg.Observe(m)
	reg.Observe(registry.NewLimits(reg, queue))
	return reg
}

func newExecutor(cfg config.Config, store ports.Store, queue ports.Queue, worker ports.Worker, requests ports.Gateway, router *route.Router, reg *registry.Registry, in *ingest.Ingest, updates *realtime.Updates, publisher *realtime.Publisher, limits *execute.Overrides, m ports.Meter, clock ports.Clock, random ports.Random, log *slog.Logger) *execute.Executor {
	return execute.New(execute.Deps{
		Store: store, Queue: queue, Worker: worker, Gateway: requests, Streams: publisher, Waits: router, Functions: reg, Tracker: in, Watcher: updates, Limits: limits.Limits,
		Meter: m, Clock: clock, Random: random, Log: log,
	}, execute.Config{Workers: cfg.QueueWorkers, RetryInterval: cfg.RetryInterval, SigningKey: cfg.SigningKey.Reveal()})
}

func newCanceller(orders ports.Cancellations, store ports.Store, reg *registry.Registry, in *ingest.Ingest, updates *realtime.Updates, clock ports.Clock, ids ports.IDs, log *slog.Logger) *cancel.Canceller {
	return cancel.New(cancel.Deps{Cancellations: orders, Store: store, Functions: reg, Tracker: in, Watcher: updates, Clock: clock, IDs: ids, Log: log})
}

func newPauser(catalog ports.Catalog, store ports.Store, reg *registry.Registry, clock ports.Clock, log *slog.Logger) *pausing.Pauser {
	return pausing.New(catalog, store, reg, clock, log)
}

func newWorker(cfg config.Config, clock ports.Clock) (ports.Worker, func()) {
	w := sdkhttp.New(sdkhttp.Config{ServerKind: cfg.Mode.ServerKind(), SigningKey: cfg.SigningKey.Reveal()}, clock)
	return w, w.Close
}

// newGateway makes the requests of steps. In development the other side is the developer's own machine as a rule; a server
// that others use reaches the public internet only.
func newGateway(cfg config.Config, clock ports.Clock) (*gatewayhttp.Gateway, func()) {
	var policy gateway.Policy
	if cfg.AllowPrivateGateway {
		policy = gateway.AllowAll
	}
	g := gatewayhttp.New(gatewayhttp.Config{Policy: policy}, clock)
	return g, g.Close
}

func newCheckpoint(cfg config.Config, store ports.Store, queue ports.Queue, history ports.History, catalog ports.Catalog, reg *registry.Registry, router *route.Router, advancer *advance.Advancer, in *ingest.Ingest, limits *execute.Overrides, b ports.Broadcast, signer ports.Tokens, clock ports.Clock, ids ports.IDs) *checkpoint.Checkpoint {
	var jobs checkpoint.Jobs
	if cfg.DispatchValidation {
		jobs = queue
	}
	return checkpoint.New(checkpoint.Deps{
		Advance: advancer, Store: store, History: history, Catalog: catalog, Functions: reg, Waits: router, Tracker: in,
		Limits: limits.Limits, Jobs: jobs, Broadcast: b, Tokens: signer, Clock: clock, IDs: ids,
	})
}

// newAdvancer moves runs on for the use cases that have no settings of their own for it.
func newAdvancer(store ports.Store, in *ingest.Ingest, updates *realtime.Updates, clock ports.Clock, log *slog.Logger) *advance.Advancer {
	return advance.New(store, in, updates, log, advance.Pause(clock))
}

// newStarter starts runs that no event of the log is routed for.
func newStarter(store ports.Store, advancer *advance.Advancer, in *ingest.Ingest, clock ports.Clock) starting.Starter {
	return starting.Starter{Store: store, Advance: advancer, Tracker: in, Clock: clock}
}

func newRerun(starter starting.Starter, history ports.History, reg *registry.Registry, ids ports.IDs, log *slog.Logger) *rerun.Rerun {
	return rerun.New(starter, history, reg, ids, log)
}

func newHolds(holds ports.Holds, store ports.Store, reg *registry.Registry, in *ingest.Ingest, updates *realtime.Updates, clock ports.Clock, ids ports.IDs, log *slog.Logger) *hold.Starter {
	return hold.New(hold.Deps{Holds: holds, Store: store, Functions: reg, Tracker: in, Watcher: updates, Clock: clock, IDs: ids, Log: log})
}

func newBroadcast() (*broadcast.Broadcast, func()) {
	b := broadcast.New(broadcast.Config{})
	return b, b.Close
}

func newTokens(cfg config.Config) (*tokens.Tokens, error) { return tokens.New(cfg.SigningKey.Reveal()) }

func newRealtime(publisher *realtime.Publisher, b ports.Broadcast, signer ports.Tokens, clock ports.Clock, ids ports.IDs, log *slog.Logger) *httpapi.Realtime {
	return httpapi.NewRealtime(httpapi.RealtimeDeps{
		Publisher: publisher, Broadcast: b, Tokens: signer, Clock: clock, IDs: ids, Log: log,
	}, httpapi.RealtimeConfig{})
}

func newInvoker(starter starting.Starter, reg *registry.Registry, in *ingest.Ingest, ids ports.IDs, log *slog.Logger) *invoke.Invoker {
	return invoke.New(starter, reg, in, ids, log)
}

// newReader answers what clients ask of the past.
func newReader(past ports.History, store ports.Store, queue ports.Queue, attached ports.Metadata, catalog ports.Catalog, clock ports.Clock) *history.Reader {
	return history.New(history.Deps{History: past, Store: store, Queue: queue, Metadata: attached, Catalog: catalog, Clock: clock}, history.Config{})
}

// newGate has whoever only reads give way to the jobs that the meter sees.
func newGate(m *meter.Meter, clock ports.Clock) *yield.Gate { return yield.New(m.Jobs, clock) }

// newMounts are the adapters that share the port.
func newMounts(cfg config.Config, in *ingest.Ingest, executor *execute.Executor, invoker *invoke.Invoker, reruns *rerun.Rerun, reader *history.Reader, reg *registry.Registry, catalog ports.Catalog, past ports.History, attached ports.Metadata, gate *yield.Gate, clock ports.Clock, log *slog.Logger) ([]httpapi.Mount, error) {
	api, err := apiv2.New(apiv2.Deps{
		Ingest: in, Functions: reg, Invoker: invoker, Reruns: reruns, Runs: executor, Reader: reader, Catalog: catalog, History: past, Metadata: attached,
		Gate: gate, Clock: clock, Log: log,
	}, apiv2.Config{SigningKey: cfg.SigningKey.Reveal(), EventKeys: config.Reveal(cfg.EventKeys), NoMetadata: !cfg.Metadata})
	if err != nil {
		return nil, err
	}
	return []httpapi.Mount{{Paths: apiv2.Paths, Handler: api}}, nil
}

// graphQL is the GraphQL endpoint, nil when it is not served.
type graphQL http.Handler

func newGraphQL(cfg config.Config, poller *appsync.Poller, syncer *appsync.Syncer, in *ingest.Ingest, executor *execute.Executor, reruns *rerun.Rerun, reader *history.Reader, catalog ports.Catalog, past ports.History, store ports.Store, gate *yield.Gate, clock ports.Clock, ids ports.IDs, log *slog.Logger) graphQL {
	if cfg.NoUI {
		return nil
	}
	return graphql.New(graphql.Deps{
		Apps: poller, Sync: syncer, Ingest: in, Runs: executor, Reruns: reruns, Past: reader, Catalog: catalog, Records: past, Store: store,
		Gate: gate, Clock: clock, IDs: ids, Log: log,
	}, graphql.Config{})
}

func newHandler(cfg config.Config, version Version, in *ingest.Ingest, syncer *appsync.Syncer, executor *execute.Executor, router *route.Router, canceller *cancel.Canceller, pauser *pausing.Pauser, checkpoints *checkpoint.Checkpoint, store ports.Store, catalog ports.Catalog, history ports.History, attached ports.Metadata, reg *registry.Registry, limits *execute.Overrides, live *httpapi.Realtime, mounts []httpapi.Mount, gql graphQL, signer ports.Tokens, m *meter.Meter, queue ports.Queue, gate *yield.Gate, clock ports.Clock, ids ports.IDs, log *slog.Logger) http.Handler {
	return httpapi.New(httpapi.Deps{
		Ingest: in, Sync: syncer, Runs: executor, Signals: router, Cancellations: canceller, Pauses: pauser, Checkpoints: checkpoints, Store: store, Queue: queue, Catalog: catalog, History: history, Metadata: attached,
		Functions: reg, Limits: limits, Realtime: live, Mounts: mounts, GraphQL: gql, Tokens: signer, Metrics: m.Handler(queue, log), Gate: gate, Clock: clock, IDs: ids, Log: log,
	}, httpapi.Config{
		Kind: httpapi.Kind(cfg.Mode.ServerKind()), SigningKey: cfg.SigningKey.Reveal(), SigningKeyFallback: cfg.SigningKeyFallback.Reveal(), EventKeys: config.Reveal(cfg.EventKeys), Version: string(version),
		NoMetadata: !cfg.Metadata, TestMode: cfg.TestMode, StartOptions: startOptions(cfg),
	})
}

func startOptions(cfg config.Config) httpapi.StartOptions {
	return httpapi.StartOptions{
		URLs: cfg.SDKURLs, Autodiscover: cfg.Discovery, Poll: cfg.PollHealthy, PollInterval: int(cfg.PollInterval.Seconds()),
		Tick: cfg.Tick.Nanoseconds(), RetryInterval: int(cfg.RetryInterval.Seconds()), QueueWorkers: cfg.QueueWorkers,
		NoUI: cfg.NoUI, Persist: cfg.Persist, SQLiteDir: cfg.SQLiteDir, FeatureFlags: cfg.FeatureFlags,
	}
}
