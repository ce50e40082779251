package appsync

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
)

// PollerConfig says which apps are asked to register, and when.
type PollerConfig struct {
	// URLs are apps that are to be known from the start.
	URLs []string
	// Healthy asks all apps every Interval; otherwise only those with an error.
	Healthy bool
	// Interval between two rounds; 5 s.
	Interval time.Duration
	// Discover looks for apps on this machine until one is known, at the URLs that DiscoveryURLs returns.
	Discover      bool
	DiscoveryURLs []string
}

// Poller asks apps to register. Apps are asked side by side, so that one that hangs holds up no other.
type Poller struct {
	syncer  *Syncer
	catalog ports.Catalog
	worker  ports.Worker
	log     *slog.Logger
	config  PollerConfig
}

// NewPoller returns a poller.
func NewPoller(syncer *Syncer, catalog ports.Catalog, worker ports.Worker, log *slog.Logger, config PollerConfig) *Poller {
	if config.Interval <= 0 {
		config.Interval = 5 * time.Second
	}
	return &Poller{syncer: syncer, catalog: catalog, worker: worker, log: log, config: config}
}

// pingsAtOnce bounds the apps that are asked at the same time.
const pingsAtOnce = 16

// Run asks in rounds until ctx ends. Spec 01 §6, 16 §7.
func (p *Poller) Run(ctx context.Context) error {
	p.placeholders(ctx)
	ticker := time.NewTicker(p.config.Interval)
	defer ticker.Stop()
	for {
		if err := p.Round(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "poll apps", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// placeholders makes the configured apps known before they register.
func (p *Poller) placeholders(ctx context.Context) {
	for _, url := range p.config.URLs {
		if !strings.Contains(url, "://") {
			url = "http://" + url
		}
		p.put(ctx, function.NormalizeURL(url))
	}
}

func (p *Poller) put(ctx context.Context, url string) {
	app := function.App{ID: ids.PlaceholderAppID(url), URL: url, Method: function.MethodServe, Error: function.PingUnreachable}
	if err := p.catalog.PutPlaceholder(ctx, app); err != nil {
		p.log.ErrorContext(ctx, "store app", "url", url, "error", err)
	}
}

// Round asks every app once that is to be asked.
func (p *Poller) Round(ctx context.Context) error {
	apps, err := p.catalog.Apps(ctx)
	if err != nil {
		return err
	}
	if p.config.Discover && len(apps) == 0 {
		p.discover(ctx)
		if apps, err = p.catalog.Apps(ctx); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pingsAtOnce)
	for _, app := range apps {
		if app.Method == function.MethodServe && (p.config.Healthy || app.Error != "") {
			group.Go(func() error { p.Ping(ctx, app); return nil })
		}
	}
	return group.Wait()
}

// discover looks for an SDK at the usual addresses. What is found becomes a placeholder and is asked like any app.
func (p *Poller) discover(ctx context.Context) {
	var mu sync.Mutex
	var found []string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pingsAtOnce)
	for _, url := range p.config.DiscoveryURLs {
		group.Go(func() error {
			if p.worker.Probe(ctx, url) {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, url)
			}
			return nil
		})
	}
	_ = group.Wait() // probes report nothing but what they found
	for _, url := range found {
		p.log.InfoContext(ctx, "app found", "url", url)
		p.put(context.WithoutCancel(ctx), function.NormalizeURL(url))
	}
}

// Ping asks an app to register. An app that describes itself in its answer, as Go apps do when the request is signed, is
// registered from that. A failure becomes the app's error.
func (p *Poller) Ping(ctx context.Context, app function.App) {
	message, failed := function.PingURLError(app.URL), true
	if message == "" {
		response, err := p.worker.Ping(ctx, app.URL)
		switch {
		case err != nil:
			return // the server is stopping
		case response.TransportError != "":
			message = function.PingTransportError(errors.New(response.TransportError))
		default:
			message, failed = function.PingError(response.Status, response.Body)
			if request, ok := function.InBand(response.Body, app.URL); ok && !failed {
				if _, err := p.syncer.Apply(ctx, request); err != nil {
					p.log.WarnContext(ctx, "register app from its answer to a ping", "url", app.URL, "error", err)
				}
				return
			}
		}
	}
	if !failed || message == app.Error {
		return
	}
	if err := p.catalog.SetAppError(ctx, app.ID, message); err != nil {
		p.log.ErrorContext(ctx, "store app error", "app_id", app.ID.String(), "error", err)
	}
}

// discoveryPorts and discoveryPaths are where apps are usually served. Spec 01 §6.
var (
	discoveryPorts = []string{
		"80", "443", "3000", "3001", "3002", "3003", "3004", "3005", "3006", "3007", "3008", "3009", "3010", "4321", "5000",
		"5173", "8000", "8080", "8081", "8787", "8888", "8910", "8911", "8912", "8913", "8914", "8915",
	}
	discoveryPaths = []string{"/api/inngest", "/x/inngest", "/.netlify/functions/inngest", "/.redwood/functions/inngest"}
)

// DiscoveryURLs are the addresses at which apps are looked for, on the usual ports and the given ones.
func DiscoveryURLs(more ...string) []string {
	var urls []string
	for _, port := range append(discoveryPorts[:len(discoveryPorts):len(discoveryPorts)], more...) {
		for _, path := range discoveryPaths {
			urls = append(urls, "http://127.0.0.1:"+port+path)
		}
	}
	return urls
}
