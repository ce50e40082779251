package meter

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// queue has the depth that a test says.
type queue struct {
	all []ports.Depth
	err error
}

func (q queue) Depth(context.Context) ([]ports.Depth, error) { return q.all, q.err }

// known is a meter that knows functions by their slugs.
func known(config Config, slugs ...string) (*Meter, []uuid.UUID) {
	m := New(config)
	var put []function.Function
	var ids []uuid.UUID
	for _, slug := range slugs {
		ids = append(ids, uuid.New())
		put = append(put, function.Function{ID: ids[len(ids)-1], Slug: slug})
	}
	m.Changed(put, nil)
	return m, ids
}

// scrape asks for the metrics and returns the answer's status, type and body.
func scrape(t *testing.T, m *Meter, q Queue) (int, string, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	m.Handler(q, slog.New(slog.DiscardHandler)).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return recorder.Code, recorder.Header().Get("Content-Type"), recorder.Body.String()
}

// samples are the lines of the metrics with a prefix, without comments.
func samples(t *testing.T, m *Meter, q Queue, prefix string) []string {
	t.Helper()
	status, _, body := scrape(t, m, q)
	if status != http.StatusOK {
		t.Fatalf("status %d, body %s", status, body)
	}
	var lines []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHandler_Depth(t *testing.T) {
	t.Parallel()
	m, ids := known(Config{}, "app-a", "app-b")
	status, contentType, body := scrape(t, m, queue{all: []ports.Depth{
		{Function: ids[0], Ready: 1, NoRoom: 2, Later: 3, InHand: 4}, {Function: ids[1], Later: 10}, {Function: uuid.New(), Ready: 5}, {Function: uuid.New(), Ready: 6},
	}})
	// as the reference writes it
	const want = "# HELP inngest_queue_depth Total depth of all system queues including backlog and ready state items\n" +
		"# TYPE inngest_queue_depth gauge\ninngest_queue_depth 31\n"
	if status != http.StatusOK || contentType != "text/plain; version=0.0.4; charset=utf-8" || !strings.Contains(body, want) {
		t.Errorf("status %d, type %s, body %s", status, contentType, body)
	}
	same(t, samples(t, m, queue{all: []ports.Depth{{Function: ids[0], Ready: 1, NoRoom: 2, Later: 3, InHand: 4}, {Function: uuid.New(), Ready: 5}, {Function: uuid.New(), Ready: 6}}}, "ingot_queue_jobs"),
		`ingot_queue_jobs{fn="app-a",state="in_hand"} 4`, `ingot_queue_jobs{fn="app-a",state="later"} 3`,
		`ingot_queue_jobs{fn="app-a",state="no_room"} 2`, `ingot_queue_jobs{fn="app-a",state="ready"} 1`,
		`ingot_queue_jobs{fn="unknown",state="ready"} 11`)
	same(t, samples(t, m, queue{all: []ports.Depth{{Later: mostDepth + 1}}}, "inngest_queue_depth"), "inngest_queue_depth 1e+09")
}

func TestHandler_Failures(t *testing.T) {
	t.Parallel()
	m, _ := known(Config{})
	if status, _, body := scrape(t, m, queue{err: ports.ErrClosed}); status != http.StatusInternalServerError || body != "Failed to get queue depth\n" {
		t.Errorf("without a queue: status %d, body %q", status, body)
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fine"}, func() float64 { return 1 }), broken{})
	logged := &testkit.Output{}
	recorder := httptest.NewRecorder()
	m.Handler(queue{}, slog.New(slog.NewTextHandler(logged, nil))).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if recorder.Code != http.StatusInternalServerError || recorder.Body.String() != "Failed to gather metrics\n" || !strings.Contains(logged.String(), "out of order") {
		t.Errorf("of what cannot be gathered: status %d, body %q, logged %s", recorder.Code, recorder.Body, logged)
	}
}

// broken is a collector whose metric is none.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}

func (broken) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.NewInvalidMetric(queueDepth, errors.New("out of order"))
}

func TestMeter_Counts(t *testing.T) {
	t.Parallel()
	m, ids := known(Config{}, "app-a", "app-b")
	for kind := range flow.LimitKind(flow.LimitKinds) {
		m.Limited(ids[0], kind)
	}
	m.Limited(ids[1], flow.LimitKey)
	m.Limited(ids[1], flow.LimitKey)
	m.Limited(uuid.New(), flow.LimitRuns)
	same(t, samples(t, m, queue{}, "ingot_limit_hits_total"),
		`ingot_limit_hits_total{fn="app-a",limit="account"} 1`, `ingot_limit_hits_total{fn="app-a",limit="function"} 1`,
		`ingot_limit_hits_total{fn="app-a",limit="key"} 1`, `ingot_limit_hits_total{fn="app-a",limit="runs"} 1`,
		`ingot_limit_hits_total{fn="app-a",limit="throttle"} 1`, `ingot_limit_hits_total{fn="app-b",limit="key"} 2`,
		`ingot_limit_hits_total{fn="unknown",limit="runs"} 1`)
	for _, result := range []flow.Result{flow.Started, flow.IntoBatch, flow.RateLimited, flow.IntoDebounce, flow.Skipped, flow.Duplicate} {
		m.Decided(ids[0], result)
	}
	m.Decided(uuid.New(), flow.Started)
	same(t, samples(t, m, queue{}, "ingot_decisions_total"),
		`ingot_decisions_total{fn="app-a",result="batched"} 1`, `ingot_decisions_total{fn="app-a",result="debounced"} 1`,
		`ingot_decisions_total{fn="app-a",result="duplicate"} 1`, `ingot_decisions_total{fn="app-a",result="rate_limited"} 1`,
		`ingot_decisions_total{fn="app-a",result="skipped"} 1`, `ingot_decisions_total{fn="app-a",result="started"} 1`,
		`ingot_decisions_total{fn="unknown",result="started"} 1`)
}

func TestMeter_Latency(t *testing.T) {
	t.Parallel()
	m, ids := known(Config{}, "app-a")
	m.HandedOut(ids[0], run.KindEdge, 3*time.Millisecond, false)
	m.HandedOut(uuid.New(), run.KindEdge, time.Hour, false)
	m.HandedOut(ids[0], run.KindStart, time.Second, true)
	m.HandedOut(ids[0], "new kind", time.Second, true)
	lines := samples(t, m, queue{}, "ingot_queue_latency_seconds")
	for _, want := range []string{
		`_bucket{kind="edge",limited="false",le="0.001"} 0`, `_bucket{kind="edge",limited="false",le="0.005"} 1`,
		`_bucket{kind="edge",limited="false",le="1800"} 1`, `_bucket{kind="edge",limited="false",le="+Inf"} 2`,
		`_sum{kind="edge",limited="false"} 3600.003`, `_count{kind="start",limited="true"} 1`, `_count{kind="other",limited="true"} 1`,
	} {
		if !strings.Contains(strings.Join(lines, "\n")+"\n", "ingot_queue_latency_seconds"+want+"\n") {
			t.Errorf("no line %s among\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if strings.Contains(strings.Join(lines, "\n"), `kind="edge",limited="true"`) {
		t.Errorf("what has not happened is shown:\n%s", strings.Join(lines, "\n"))
	}
}

// lifecycle tells a meter of each thing that the reference counts.
func lifecycle(m *Meter, id uuid.UUID) {
	m.Decided(id, flow.Started)
	m.RunStarted(id)
	for _, status := range []run.Status{run.Completed, run.Failed, run.Cancelled, run.Cancelled} {
		m.RunEnded(id, status)
	}
	m.CallsScheduled(id, 3)
	m.CallStarted(id)
	for result := range ports.CallResult(ports.CallResults) {
		m.CallEnded(id, result)
	}
}

// TestMeter_Lifecycle: without the switch the counters are not there. Spec 17 §1.
func TestMeter_Lifecycle(t *testing.T) {
	t.Parallel()
	off, ids := known(Config{}, "app-a")
	lifecycle(off, ids[0])
	same(t, samples(t, off, queue{}, "inngest_"), "inngest_queue_depth 0")
	on, ids := known(Config{Lifecycle: true}, "app-a")
	lifecycle(on, ids[0])
	on.RunStarted(uuid.New())
	same(t, samples(t, on, queue{}, "inngest_"),
		`inngest_function_run_ended_total{fn="app-a",status="cancelled"} 2`, `inngest_function_run_ended_total{fn="app-a",status="completed"} 1`,
		`inngest_function_run_ended_total{fn="app-a",status="failed"} 1`, `inngest_function_run_scheduled_total{fn="app-a"} 1`,
		`inngest_function_run_started_total{fn="app-a"} 1`, `inngest_function_run_started_total{fn="unknown"} 1`, `inngest_queue_depth 0`,
		`inngest_sdk_req_ended_total{fn="app-a",status="errored"} 1`, `inngest_sdk_req_ended_total{fn="app-a",status="failed"} 1`,
		`inngest_sdk_req_ended_total{fn="app-a",status="success"} 1`, `inngest_sdk_req_scheduled_total{fn="app-a"} 3`,
		`inngest_sdk_req_started_total{fn="app-a"} 1`)
}

// TestMeter_Functions: there are as many series as functions are registered, whatever they are called.
func TestMeter_Functions(t *testing.T) {
	t.Parallel()
	m, ids := known(Config{}, "app-a", "app-b", "unknown", "\xff", "app-b")
	count := func(id uuid.UUID) {
		t.Helper()
		m.Decided(id, flow.Started)
	}
	shown := func(want ...string) {
		t.Helper()
		same(t, samples(t, m, queue{}, "ingot_decisions_total"), want...)
	}
	for _, id := range ids {
		count(id)
	}
	count(uuid.New())
	shown(`ingot_decisions_total{fn="app-a",result="started"} 1`, `ingot_decisions_total{fn="app-b",result="started"} 2`,
		`ingot_decisions_total{fn="unknown",result="started"} 2`, `ingot_decisions_total{fn="�",result="started"} 1`)

	other := uuid.New() // takes the slug of one that goes, in one change
	m.Changed([]function.Function{{ID: other, Slug: "app-a"}, {ID: ids[1], Slug: "app-b"}}, []uuid.UUID{ids[0], ids[3]})
	count(other)
	count(ids[1])
	count(ids[0])
	shown(`ingot_decisions_total{fn="app-a",result="started"} 2`, `ingot_decisions_total{fn="app-b",result="started"} 3`,
		`ingot_decisions_total{fn="unknown",result="started"} 3`)
}

func TestMeter_AtOnce(t *testing.T) {
	t.Parallel()
	m, ids := known(Config{}, "app-a", "app-b")
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 100 {
				m.Decided(ids[0], flow.Started)
				m.HandedOut(ids[0], run.KindStart, 0, false)
				m.Changed([]function.Function{{ID: ids[0], Slug: "app-a"}}, nil)
				_ = samples(t, m, queue{}, "ingot")
			}
		})
	}
	work.Wait()
	same(t, samples(t, m, queue{}, "ingot_decisions_total"), `ingot_decisions_total{fn="app-a",result="started"} 400`)
}

// TestMeter_AllocatesNothing: it is called on the way of every job.
func TestMeter_AllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	m, ids := known(Config{Lifecycle: true}, "app-a")
	if n := testing.AllocsPerRun(100, func() { tell(m, ids[0]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// tell tells all that happens around one job.
func tell(m ports.Meter, id uuid.UUID) {
	m.HandedOut(id, run.KindEdge, time.Millisecond, false)
	m.Limited(id, flow.LimitKey)
	m.Decided(id, flow.Started)
	m.CallsScheduled(id, 1)
	m.CallStarted(id)
	m.CallEnded(id, ports.CallSucceeded)
	m.RunStarted(id)
	m.RunEnded(id, run.Completed)
}

// BenchmarkMeter is of all eight things that can happen, with 10,000 functions.
func BenchmarkMeter(b *testing.B) {
	slugs := make([]string, 10_000)
	for i := range slugs {
		slugs[i] = uuid.NewString()
	}
	m, ids := known(Config{Lifecycle: true}, slugs...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tell(m, ids[i%len(ids)])
	}
}
