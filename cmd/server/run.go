package main

import (
	"context"
	"log/slog"
	"net"

	"github.com/ingothq/ingot"
	"github.com/ingothq/ingot/internal/config"
)

// run is the application's Runner.
func run(ctx context.Context, cfg config.Config, log *slog.Logger, listener net.Listener) error {
	return ingot.Run(ctx, cfg, ingot.Version(version+"-"+commit), log, listener)
}
