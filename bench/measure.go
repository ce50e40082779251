package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	settle     = 300 * time.Millisecond // after registering, until the answers to the last calls are stored, and for late duplicates
	idleBefore = time.Second            // before the memory of an idle server is read
)

// bench is one profile on its way.
type bench struct {
	opts    options
	dir     string
	address string
	server  *server // nil when it was there already
	app     *app
	client  *client
	res     result
}

func measure(p profile, opts options) (result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return result{}, fmt.Errorf("data directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{opts: opts, dir: dir, app: newApp(p), res: result{profile: p}}
	api := opts.api
	if api == "" {
		if b.address, err = freeAddress(); err != nil {
			return result{}, err
		}
		if err := b.start(ctx, &b.res.Health); err != nil {
			return result{}, err
		}
		defer func() { b.server.kill() }()
		api = b.server.url
		time.Sleep(idleBefore)
		b.res.RSSIdle = b.server.usage().rss
	}
	b.client = newClient(api, opts)

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return result{}, fmt.Errorf("listen for calls: %w", err)
	}
	serving := &http.Server{Handler: b.app, ReadHeaderTimeout: time.Minute}
	go func() { _ = serving.Serve(listener) }()
	defer func() { _ = serving.Close() }()
	name := fmt.Sprintf("bench-%d", time.Now().UnixNano()%1e9)
	if err := b.client.register(ctx, name, "http://"+listener.Addr().String()+"/api/inngest"); err != nil {
		return result{}, err
	}
	time.Sleep(settle)
	return b.load(ctx, name)
}

func (b *bench) start(ctx context.Context, took *time.Duration) error {
	started, err := startServer(ctx, b.dir, b.address, b.app.profile.restart, b.opts)
	if err != nil {
		return err
	}
	b.server, *took = started, started.health
	return nil
}

// load sends the events, waits for the runs and sums up.
func (b *bench) load(ctx context.Context, name string) (result, error) {
	p := b.app.profile
	before := b.server.usage()
	begin := time.Now()
	b.app.wakeAt, b.app.wakeName = begin.Add(p.asleepFor(b.opts)), name+"/wake"
	watched := b.watchSegments()
	readers := b.client.read(ctx, b.opts.readers)
	sending := b.client.send(ctx, b.app, name, b.opts)
	if p.restart {
		if err := b.restart(ctx); err != nil {
			return result{}, err
		}
		before = usage{} // a new process
	}
	goal := p.count
	if p.waits {
		if err := b.poke(ctx); err != nil {
			return result{}, err
		}
		goal = len(b.res.resumed)
	}
	if !p.restart { // restart has waited for the end of the runs
		b.app.waitUntil(b.opts.wait, func() bool { return b.app.ended == goal })
	}
	b.res.Took = time.Since(begin)
	b.res.read(readers)
	after := b.server.usage()
	time.Sleep(settle)
	b.res.RSSSegments = watched()
	b.res.CPU = after.cpu - before.cpu
	settled := b.server.usage()
	b.res.RSSPeak, b.res.RSSAfter = settled.peak, settled.rss
	b.res.sum(b.app, sending)
	return b.res, nil
}

// watchSegments reads the memory at the end of each segment until the returned function is called, which returns it.
func (b *bench) watchSegments() func() []int64 {
	segment := b.app.profile.segment
	if segment == 0 {
		return func() []int64 { return nil }
	}
	var sizes []int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for goal := segment; goal <= b.app.profile.count; goal += segment {
			if !b.app.waitUntil(b.opts.wait, func() bool { return b.app.ended >= goal }) {
				return
			}
			sizes = append(sizes, b.server.usage().rss)
		}
	}()
	return func() []int64 { <-done; return sizes }
}

// restart waits until all runs sleep, kills the server, starts it again on its data and waits for the wake-up.
func (b *bench) restart(ctx context.Context) error {
	if !b.app.waitUntil(b.opts.wait, func() bool { return b.app.started == b.app.profile.count }) {
		return fmt.Errorf("only %d of %d runs fell asleep", b.app.started, b.app.profile.count)
	}
	time.Sleep(settle)
	b.res.RSSAsleep = b.server.usage().rss
	b.server.kill()
	if err := b.start(ctx, &b.res.Restart); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	left := time.Until(b.app.wakeAt)
	if left <= 0 {
		return fmt.Errorf("the runs should have woken %v ago: choose a longer -asleep-for", -left)
	}
	b.res.RSSRestarted = b.server.usage().rss
	time.Sleep(left)
	asleep := b.server.usage().cpu
	b.app.waitUntil(b.opts.wait, func() bool { return b.app.ended == b.app.profile.count })
	b.app.mu.Lock()
	defer b.app.mu.Unlock()
	b.res.WakeCPU = b.server.usage().cpu - asleep
	b.res.WakeFirst, b.res.WakeLast = b.app.firstWake.Sub(b.app.wakeAt), b.app.lastCall.Sub(b.app.wakeAt)
	return nil
}
