package httpapi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
)

// sink is a client's end of a connection. Its methods may be called at once, and each is bounded in time.
type sink interface {
	send(ctx context.Context, frame realtime.Frame) error
	keepAlive(ctx context.Context) error
}

// follow passes on what a subscription gets until the connection or ctx ends, and returns why. A lifetime of zero is none.
func (rt *Realtime) follow(ctx context.Context, sub ports.Subscription, to sink, lifetime time.Duration) error {
	ctx, end := context.WithCancelCause(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { end(rt.watch(ctx, to, lifetime)) })
	end(rt.forward(ctx, sub, to))
	watcher.Wait()
	return context.Cause(ctx)
}

func (rt *Realtime) forward(ctx context.Context, sub ports.Subscription, to sink) error {
	for {
		frame, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := to.send(ctx, frame); err != nil {
			return fmt.Errorf("send to client: %w", err)
		}
	}
}

// watch keeps an idle connection alive, tells the client when the server is about to close, and says when it is over.
func (rt *Realtime) watch(ctx context.Context, to sink, lifetime time.Duration) error {
	ticks, stop := rt.Ticker(rt.config.KeepAlive)
	defer stop()
	var over <-chan time.Time
	if lifetime > 0 {
		timer, stop := rt.Ticker(lifetime)
		defer stop()
		over = timer
	}
	failures := 0
	keepAlive := func() error {
		err := to.keepAlive(ctx)
		if err == nil {
			failures = 0
		} else if failures++; failures == maxKeepAliveFailures {
			return fmt.Errorf("keep connection alive: %w", err)
		}
		return nil
	}
	err := keepAlive()
	announced := rt.announced
	for err == nil {
		select {
		case <-ticks:
			err = keepAlive()
		case <-announced:
			announced = nil
			_ = to.send(ctx, rt.closing()) // who does not get it sees the end all the same
		case <-rt.closed:
			if announced != nil {
				_ = to.send(ctx, rt.closing())
			}
			err = errShutdown
		case <-over:
			err = errLifetime
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}

func (rt *Realtime) closing() realtime.Frame {
	frame, _ := realtime.Message{ // it has nothing in it that could not be encoded
		Kind: realtime.KindClosing, CreatedAt: rt.Clock.Now().UTC().Truncate(time.Millisecond),
	}.Encode()
	return frame
}
