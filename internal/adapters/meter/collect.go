package meter

import (
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	limitHits = describe("ingot_limit_hits_total", "Limits that jobs of a function met. Jobs that need the same meet a limit together, once.", "fn", "limit")
	decisions = describe("ingot_decisions_total", "What became of events and ticks that might have started a run of a function.", "fn", "result")
	jobs      = describe("ingot_queue_jobs", "Jobs in the queue, by function and state.", "fn", "state")

	queueDepth     = describe("inngest_queue_depth", "Total depth of all system queues including backlog and ready state items")
	runsScheduled  = describe("inngest_function_run_scheduled_total", "Total number of function runs scheduled", "fn")
	runsStarted    = describe("inngest_function_run_started_total", "Total number of function runs started", "fn")
	runsEnded      = describe("inngest_function_run_ended_total", "Total number of function runs ended", "fn", "status")
	callsScheduled = describe("inngest_sdk_req_scheduled_total", "Total number of SDK requests scheduled", "fn")
	callsStarted   = describe("inngest_sdk_req_started_total", "Total number of SDK requests started", "fn")
	callsEnded     = describe("inngest_sdk_req_ended_total", "Total number of SDK requests ended", "fn", "status")
)

// counters shows what the series have counted. What has not happened has no sample.
type counters struct{ meter *Meter }

// Describe implements prometheus.Collector.
func (c counters) Describe(descriptions chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{
		limitHits, decisions, runsScheduled, runsStarted, runsEnded, callsScheduled, callsStarted, callsEnded,
	} {
		descriptions <- one
	}
	for kind := range c.meter.latency {
		for limited := range c.meter.latency[kind] {
			descriptions <- c.meter.latency[kind][limited].Desc()
		}
	}
}

// Collect implements prometheus.Collector.
func (c counters) Collect(metrics chan<- prometheus.Metric) {
	for kind := range c.meter.latency {
		for limited := range c.meter.latency[kind] {
			if one := &c.meter.latency[kind][limited]; one.used.Load() {
				metrics <- one.Histogram
			}
		}
	}
	c.collect(metrics, c.meter.unknown)
	shown := map[*series]bool{c.meter.unknown: true}
	for _, s := range *c.meter.functions.Load() {
		if !shown[s] {
			shown[s] = true
			c.collect(metrics, s)
		}
	}
}

func (c counters) collect(metrics chan<- prometheus.Metric, s *series) {
	show := func(of *prometheus.Desc, count uint64, labels ...string) {
		if count > 0 {
			metrics <- prometheus.MustNewConstMetric(of, prometheus.CounterValue, float64(count), append([]string{s.slug}, labels...)...)
		}
	}
	for kind := range s.limits {
		show(limitHits, s.limits[kind].Load(), flow.LimitKind(kind).String())
	}
	for result, name := range results {
		show(decisions, s.decisions[result].Load(), name)
	}
	if !c.meter.config.Lifecycle {
		return
	}
	show(runsScheduled, s.decisions[flow.Started].Load())
	show(runsStarted, s.runsStarted.Load())
	for status, name := range statuses {
		show(runsEnded, s.runsEnded[status].Load(), name)
	}
	show(callsScheduled, s.callsScheduled.Load())
	show(callsStarted, s.callsStarted.Load())
	for result := range s.callsEnded {
		show(callsEnded, s.callsEnded[result].Load(), ports.CallResult(result).String())
	}
}

// depth shows how many jobs there are.
type depth struct {
	meter *Meter
	all   []ports.Depth
}

// Describe implements prometheus.Collector.
func (depth) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- queueDepth
	descriptions <- jobs
}

// mostDepth is the largest depth that the reference shows. Spec 04 §13.
const mostDepth = 1_000_000_000

// Collect implements prometheus.Collector. Functions that are not registered are shown together.
func (d depth) Collect(metrics chan<- prometheus.Metric) {
	total, bySlug := 0, map[string]ports.Depth{}
	for _, one := range d.all {
		slug := d.meter.of(one.Function).slug
		sum := bySlug[slug]
		bySlug[slug] = ports.Depth{
			Function: uuid.Nil, Ready: sum.Ready + one.Ready, NoRoom: sum.NoRoom + one.NoRoom, Later: sum.Later + one.Later, InHand: sum.InHand + one.InHand,
		}
		total += one.Ready + one.NoRoom + one.Later + one.InHand
	}
	metrics <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(min(total, mostDepth)))
	for slug, sum := range bySlug {
		for state, count := range map[string]int{"ready": sum.Ready, "no_room": sum.NoRoom, "later": sum.Later, "in_hand": sum.InHand} {
			if count > 0 {
				metrics <- prometheus.MustNewConstMetric(jobs, prometheus.GaugeValue, float64(count), slug, state)
			}
		}
	}
}
