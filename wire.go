//go:build wireinject

package ingot

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/adapters/gatewayhttp"
	"github.com/ingothq/ingot/internal/adapters/meter"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/adapters/tokens"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/config"
	"github.com/ingothq/ingot/internal/ports"
)

// build puts the server together. The cleanup closes the store and the connections that are kept.
func build(ctx context.Context, cfg config.Config, version Version, clock ports.Clock, log *slog.Logger) (*server, func(), error) {
	panic(wire.Build(
		// The machine.
		wire.Struct(new(system.Random)), wire.Bind(new(ports.Random), new(system.Random)),
		system.NewIDs, wire.Bind(new(ports.IDs), new(*system.IDs)),
		// What is counted.
		newMeter, wire.Bind(new(ports.Meter), new(*meter.Meter)),
		// Storage.
		openEngine, eventLogOf, newStore, queueOf, holdsOf, catalogOf, historyOf, metadataOf, cancellationsOf,
		// Realtime.
		newBroadcast, wire.Bind(new(ports.Broadcast), new(*broadcast.Broadcast)), newTokens, wire.Bind(new(ports.Tokens), new(*tokens.Tokens)),
		realtime.New, realtime.NewUpdates, newRealtime,
		// The application.
		newRegistry, ingest.New, newSyncer, newPoller, newRouter, newScheduler, newHolds, newExecutor, newCanceller, newPauser, newAdvancer, newStarter, newCheckpoint, newRerun, newInvoker, newReader, newLimits,
		// Its edges.
		newWorker, newGateway, wire.Bind(new(ports.Gateway), new(*gatewayhttp.Gateway)), newGate, newMounts, newGraphQL, newHandler,
		newServer,
	))
}
