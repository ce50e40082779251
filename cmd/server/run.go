package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/ingothq/ingot/internal/config"
)

// run is the application's Runner.
func run(context.Context, config.Config, *slog.Logger, net.Listener) error {
	return errors.New("server is not assembled")
}
