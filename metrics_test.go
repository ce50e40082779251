package ingot

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/config"
)

// TestMetrics runs a function to its end and reads what the server counted on the way.
func TestMetrics(t *testing.T) {
	t.Parallel()
	cfg := quiet()
	cfg.PromMetrics = true
	p, a := start(t, cfg), newApp(t, "10ms")
	if status, body := p.ask(http.MethodPost, "/fn/register", a.registration()); status != http.StatusOK {
		t.Fatalf("register: status %d, body %s", status, body)
	}
	if status, _ := p.finished(p.send("any", `{"name":"app/event"}`)); status != "Completed" {
		t.Fatalf("the run ended as %s", status)
	}
	var body string
	p.await("the run's job is still counted", func() bool { // its commit is seen before the queue's counters are
		_, body = p.ask(http.MethodGet, "/metrics", "")
		return strings.Contains(body, "\ninngest_queue_depth 0\n")
	})
	for _, want := range []string{
		`ingot_decisions_total{fn="app-fn",result="started"} 1`, `inngest_function_run_scheduled_total{fn="app-fn"} 1`,
		`inngest_function_run_started_total{fn="app-fn"} 1`, `inngest_function_run_ended_total{fn="app-fn",status="completed"} 1`,
		`inngest_sdk_req_scheduled_total{fn="app-fn"} 4`, `inngest_sdk_req_started_total{fn="app-fn"} 4`,
		`inngest_sdk_req_ended_total{fn="app-fn",status="success"} 4`, `ingot_queue_latency_seconds_count{kind="start",limited="false"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// TestMetrics_WantTheKey: what they tell of functions is for who may manage the server.
func TestMetrics_WantTheKey(t *testing.T) {
	t.Parallel()
	cfg := config.Default(config.Start)
	cfg.SigningKey, cfg.EventKeys, cfg.SQLiteDir = "0123abcd", []config.Secret{"key"}, t.TempDir()
	p := start(t, cfg)
	if status, body := p.ask(http.MethodGet, "/metrics", ""); status != http.StatusOK || !strings.Contains(body, "inngest_queue_depth 0\n") || strings.Contains(body, "inngest_sdk") {
		t.Errorf("with the key: status %d, body %s", status, body)
	}
	p.key = ""
	if status, _ := p.ask(http.MethodGet, "/metrics", ""); status != http.StatusUnauthorized {
		t.Errorf("without the key: status %d", status)
	}
}
