package appsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
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
	// Discover looks for apps on this machine until one is known, and never again, at the URLs that DiscoveryURLs returns.
	Discover      bool
	DiscoveryURLs []string
}

// Poller asks apps to register. Apps are asked side by side, and a round does not wait for the answers, so that an app
// that hangs holds up no other. Run may be called once.
type Poller struct {
	syncer  *Syncer
	catalog ports.Catalog
	worker  ports.Worker
	log     *slog.Logger
	config  PollerConfig

	// pings are the questions under way; one app is asked one at a time.
	pings  errgroup.Group
	mu     sync.Mutex
	asking map[uuid.UUID]bool
	// unknown are the configured URLs whose placeholders are not stored yet.
	unknown []string
	// discovering is true until an app is known.
	discovering bool
	// found are the URLs at which apps were found without being told of them.
	found map[string]bool
}

// NewPoller returns a poller.
func NewPoller(syncer *Syncer, catalog ports.Catalog, worker ports.Worker, log *slog.Logger, config PollerConfig) *Poller {
	if config.Interval <= 0 {
		config.Interval = 5 * time.Second
	}
	p := &Poller{
		syncer: syncer, catalog: catalog, worker: worker, log: log, config: config,
		asking: map[uuid.UUID]bool{}, found: map[string]bool{}, unknown: config.URLs, discovering: config.Discover,
	}
	p.pings.SetLimit(pingsAtOnce)
	return p
}

const (
	// pingsAtOnce bounds the apps that are asked at the same time. A round waits only when so many hang.
	pingsAtOnce = 64
	// probesAtOnce bounds the addresses of this machine that are looked at together.
	probesAtOnce = 16
)

// Run asks in rounds until ctx ends, and waits for the questions under way. Spec 01 §6, 16 §7.
func (p *Poller) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.config.Interval)
	defer ticker.Stop()
	for {
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "poll apps", "error", err)
		}
		select {
		case <-ctx.Done():
			return p.pings.Wait()
		case <-ticker.C:
		}
	}
}

// round begins to ask every app that is to be asked and is not being asked already.
func (p *Poller) round(ctx context.Context) error {
	p.placeholders(ctx)
	apps, err := p.catalog.Apps(ctx)
	if err != nil {
		return fmt.Errorf("read apps: %w", err)
	}
	if p.discovering && len(apps) == 0 {
		p.discover(ctx)
		if apps, err = p.catalog.Apps(ctx); err != nil {
			return fmt.Errorf("read apps: %w", err)
		}
	}
	if len(apps) > 0 {
		p.discovering = false
	}
	for _, app := range apps {
		if ctx.Err() != nil {
			return nil
		}
		if app.Method != function.MethodServe || !p.config.Healthy && app.Error == "" || !p.claim(app.ID) {
			continue
		}
		p.pings.Go(func() error {
			defer p.release(app.ID)
			_ = p.Ping(ctx, app) // it is the app's error, or logged
			return nil
		})
	}
	return nil
}

// claim reports whether nobody else asks the app.
func (p *Poller) claim(app uuid.UUID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking[app] {
		return false
	}
	p.asking[app] = true
	return true
}

func (p *Poller) release(app uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asking, app)
}

func (p *Poller) remember(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[url] = true
}

// Discovered reports whether an app was found at the URL without anybody naming it.
func (p *Poller) Discovered(url string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found[url]
}

// placeholders makes the configured apps known before they register. What cannot be stored is tried again in the next
// round.
func (p *Poller) placeholders(ctx context.Context) {
	var left []string
	for _, url := range p.unknown {
		if !p.put(ctx, storedURL(url)) {
			left = append(left, url)
		}
	}
	p.unknown = left
}

func (p *Poller) put(ctx context.Context, url string) bool {
	app := placeholder(url)
	if err := p.catalog.PutPlaceholder(ctx, app); err != nil {
		p.log.ErrorContext(ctx, "store app", "app_id", app.ID.String(), "error", err)
		return false
	}
	return true
}

// placeholder stands for an app of which only the URL is known.
func placeholder(url string) function.App {
	return function.App{ID: ids.PlaceholderAppID(url), URL: url, Method: function.MethodServe, Error: function.PingUnreachable}
}

// storedURL is a URL as people write it, in the form in which apps are stored.
func storedURL(text string) string {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	return function.NormalizeURL(text)
}

// discover looks for an SDK at the usual addresses. What is found becomes a placeholder and is asked like any app.
func (p *Poller) discover(ctx context.Context) {
	found := make([]bool, len(p.config.DiscoveryURLs))
	var probes errgroup.Group
	probes.SetLimit(probesAtOnce)
	for at, url := range p.config.DiscoveryURLs {
		probes.Go(func() error {
			found[at] = p.worker.Probe(ctx, url)
			return nil
		})
	}
	_ = probes.Wait() // probes report nothing but what they found
	for at, url := range p.config.DiscoveryURLs {
		if found[at] {
			p.log.InfoContext(ctx, "app found", "url", url)
			p.remember(function.NormalizeURL(url))
			p.put(ctx, function.NormalizeURL(url))
		}
	}
}

// Ping asks an app to register. An app that describes itself in its answer, as Go apps do when the request is signed, is
// registered from that. A failure becomes the app's error, and is returned.
func (p *Poller) Ping(ctx context.Context, app function.App) error {
	message, failed := function.PingURLError(app.URL), true
	if message == "" {
		response, err := p.worker.Ping(ctx, app.URL)
		switch {
		case err != nil:
			return err // whoever asks does not wait any more
		case response.TransportError != "":
			message = function.PingTransportError(errors.New(response.TransportError))
		default:
			message, failed = function.PingError(response.Status, response.Body)
			if request, ok := function.InBand(response.Body, app.URL); ok && response.Status == statusOK {
				return p.register(ctx, app, request)
			}
		}
	}
	if !failed {
		return nil
	}
	if message != app.Error {
		if err := p.catalog.SetAppError(ctx, app.ID, message); err != nil {
			p.log.ErrorContext(ctx, "store app error", "app_id", app.ID.String(), "error", err)
		}
	}
	return &PingError{Text: message}
}

// PingError says why an app cannot be used. Its text is the app's error; it is empty when the app gave no reason.
type PingError struct{ Text string }

func (e *PingError) Error() string { return e.Text }

// statusOK is the status of an answer in which an app describes itself.
const statusOK = 200

// register applies what an app said of itself in its answer to a ping. A refusal is logged by the syncer.
func (p *Poller) register(ctx context.Context, app function.App, request function.Request) error {
	_, err := p.syncer.Apply(ctx, request)
	if refused := (*RefusedError)(nil); err != nil && !errors.As(err, &refused) {
		p.log.ErrorContext(ctx, "register app from its answer to a ping", "app_id", app.ID.String(), "error", err)
	}
	return err
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
