// Package meter counts what happens and shows it to Prometheus.
//
// Counting is on the way of every job: a look-up by the function's ID and an atomic addition. Names and labels are put together when
// somebody asks. The label fn is the slug of a function that is registered, otherwise "unknown", so that there are no more series than
// functions.
//
// Source: spec 17 §1, spec 04 §13; §2 is the menu of what is measured besides.
package meter

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
)

// unknown is the label of functions that are not registered.
const unknown = "unknown"

// Config says what is counted.
type Config struct {
	// Lifecycle counts runs and calls under the names of the reference. Spec 17 §1.
	Lifecycle bool
}

// Meter is a ports.Meter and a registry.Observer. It is safe for concurrent use.
type Meter struct {
	config   Config
	registry *prometheus.Registry
	latency  [len(kinds)][2]latency
	// functions are the series of those that are registered; never changed, only replaced.
	functions atomic.Pointer[map[uuid.UUID]*series]
	unknown   *series
	// jobs counts those that were handed out.
	jobs atomic.Uint64
	// changing makes changes replace each other in their order.
	changing sync.Mutex
}

var (
	_ ports.Meter       = (*Meter)(nil)
	_ registry.Observer = (*Meter)(nil)
)

// kinds are the kinds of jobs by their place in latency; the first is of others.
var kinds = [...]run.Kind{"other", run.KindStart, run.KindEdge, run.KindEdgeError, run.KindSleep, run.KindPause, run.KindGateway, run.KindCancel}

func kindAt(kind run.Kind) int {
	for at := 1; at < len(kinds); at++ {
		if kinds[at] == kind {
			return at
		}
	}
	return 0
}

// results are the labels of decisions.
var results = [...]string{
	flow.Started: "started", flow.IntoBatch: "batched", flow.RateLimited: "rate_limited", flow.IntoDebounce: "debounced",
	flow.Skipped: "skipped", flow.Duplicate: "duplicate",
}

// statuses are the labels of ended runs.
var statuses = [...]string{"completed", "failed", "cancelled"}

func statusAt(status run.Status) int {
	switch status {
	case run.Failed:
		return 1
	case run.Cancelled:
		return 2
	case run.Completed, run.Running, run.Skipped:
	}
	return 0
}

// series are the counters of a function.
type series struct {
	slug      string
	limits    [flow.LimitKinds]atomic.Uint64
	decisions [len(results)]atomic.Uint64

	runsStarted                  atomic.Uint64
	runsEnded                    [len(statuses)]atomic.Uint64
	callsScheduled, callsStarted atomic.Uint64
	callsEnded                   [ports.CallResults]atomic.Uint64
}

// buckets are those of the reference's latency of queue items, in seconds, and one below: a job that is due is in hand within a millisecond.
var buckets = []float64{.001, .005, .01, .05, .1, .2, .5, 1, 2, 5, 30, 60, 300, 600, 1800}

// New returns a meter that knows no function.
func New(config Config) *Meter {
	m := &Meter{config: config, registry: prometheus.NewRegistry(), unknown: &series{slug: unknown}}
	m.functions.Store(&map[uuid.UUID]*series{})
	for at, kind := range kinds {
		for limited := range m.latency[at] {
			m.latency[at][limited].Histogram = prometheus.NewHistogram(prometheus.HistogramOpts{
				Name:        "ingot_queue_latency_seconds",
				Help:        "How long after a job was due it was handed out. Only where limited is false does it speak of the server: otherwise a limit kept the job back.",
				Buckets:     buckets,
				ConstLabels: prometheus.Labels{"kind": string(kind), "limited": strconv.FormatBool(limited == 1)},
			})
		}
	}
	m.registry.MustRegister(counters{m})
	return m
}

// latency is a histogram that is not shown until it has something to show.
type latency struct {
	prometheus.Histogram
	used atomic.Bool
}

// Changed implements registry.Observer. What was counted of functions that are gone is gone with them.
func (m *Meter) Changed(put []function.Function, gone []uuid.UUID) {
	m.changing.Lock()
	defer m.changing.Unlock()
	before := *m.functions.Load()
	next, bySlug := make(map[uuid.UUID]*series, len(before)+len(put)), map[string]*series{unknown: m.unknown}
	for id, s := range before {
		next[id], bySlug[s.slug] = s, s
	}
	for _, id := range gone {
		delete(next, id)
	}
	for _, fn := range put {
		slug := strings.ToValidUTF8(fn.Slug, "�")
		if bySlug[slug] == nil {
			bySlug[slug] = &series{slug: slug}
		}
		next[fn.ID] = bySlug[slug]
	}
	m.functions.Store(&next)
}

func (m *Meter) of(id uuid.UUID) *series {
	if s := (*m.functions.Load())[id]; s != nil {
		return s
	}
	return m.unknown
}

// HandedOut implements ports.Meter.
func (m *Meter) HandedOut(_ uuid.UUID, kind run.Kind, waited time.Duration, limited bool) {
	m.jobs.Add(1)
	at := 0
	if limited {
		at = 1
	}
	of := &m.latency[kindAt(kind)][at]
	of.Observe(waited.Seconds())
	if !of.used.Load() {
		of.used.Store(true)
	}
}

// Jobs is how many jobs were handed out so far.
func (m *Meter) Jobs() uint64 { return m.jobs.Load() }

// Limited implements ports.Meter.
func (m *Meter) Limited(function uuid.UUID, kind flow.LimitKind) { m.of(function).limits[kind].Add(1) }

// Decided implements ports.Meter.
func (m *Meter) Decided(function uuid.UUID, result flow.Result) {
	m.of(function).decisions[result].Add(1)
}

// RunStarted implements ports.Meter.
func (m *Meter) RunStarted(function uuid.UUID) {
	if m.config.Lifecycle {
		m.of(function).runsStarted.Add(1)
	}
}

// RunEnded implements ports.Meter.
func (m *Meter) RunEnded(function uuid.UUID, status run.Status) {
	if m.config.Lifecycle {
		m.of(function).runsEnded[statusAt(status)].Add(1)
	}
}

// CallsScheduled implements ports.Meter.
func (m *Meter) CallsScheduled(function uuid.UUID, count int) {
	if m.config.Lifecycle {
		m.of(function).callsScheduled.Add(uint64(count))
	}
}

// CallStarted implements ports.Meter.
func (m *Meter) CallStarted(function uuid.UUID) {
	if m.config.Lifecycle {
		m.of(function).callsStarted.Add(1)
	}
}

// CallEnded implements ports.Meter.
func (m *Meter) CallEnded(function uuid.UUID, result ports.CallResult) {
	if m.config.Lifecycle {
		m.of(function).callsEnded[result].Add(1)
	}
}
