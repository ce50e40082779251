package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Run statuses of the read API that a run can end with.
const (
	Completed = "Completed"
	Failed    = "Failed"
	Cancelled = "Cancelled"
	Skipped   = "Skipped"
)

// Run is what GET /v1/runs/{id} says of a run (Spec 04 §7.2).
type Run struct {
	ID         string          `json:"run_id"`
	FunctionID string          `json:"function_id"`
	EventID    string          `json:"event_id"`
	Status     string          `json:"status"`
	Cron       string          `json:"cron"`
	EndedAt    *time.Time      `json:"ended_at"`
	Output     json.RawMessage `json:"output"`
}

// Ended reports whether the run has its end: a status that stays, and an end time.
func (r Run) Ended() bool {
	return r.EndedAt != nil && (r.Status == Completed || r.Status == Failed || r.Status == Cancelled || r.Status == Skipped)
}

var (
	readClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	reads      atomic.Int64
)

// get reads the data member of a /v1 answer into data. Errors of this API come with status 200 too (Spec 04 §4.3), so
// the body decides.
func (s *Server) get(ctx context.Context, path string, data any) error {
	// The API caches answers per query string for up to 15 s (Spec 04 §4.3); a new one asks afresh.
	status, body, err := s.Call(ctx, http.MethodGet, fmt.Sprintf("%s?fresh=%d", path, reads.Add(1)), "")
	if err != nil {
		return err
	}
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error string          `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return fmt.Errorf("%s: status %d, not JSON: %.300s", path, status, body)
	}
	if status != http.StatusOK || answer.Error != "" {
		return fmt.Errorf("%s: status %d: %.300s", path, status, body)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return fmt.Errorf("%s: %w in %.300s", path, err, answer.Data)
	}
	return nil
}

// Call makes a request to the API with the server's signing key and returns the status and the text of its answer.
func (s *Server) Call(ctx context.Context, method, path, body string) (int, string, error) {
	return s.call(ctx, method, path, body, "")
}

// call is Call with a type of the body, empty for none.
func (s *Server) call(ctx context.Context, method, path, body, contentType string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("%s %s: %w", method, path, err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if s.opts.SigningKey != "" {
		req.Header.Set("Authorization", "Bearer "+s.opts.SigningKey)
	}
	resp, err := readClient.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return resp.StatusCode, string(text), nil
}

// Cancel cancels a run; that it has ended already is no error.
func (s *Server) Cancel(t testing.TB, runID string) {
	t.Helper()
	status, text, err := s.Call(t.Context(), http.MethodDelete, "/v1/runs/"+runID, "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("cancel run %s: status %d, %v: %s", runID, status, err, text)
	}
}

// EventRuns asks for the runs that the event with this internal id started.
func (s *Server) EventRuns(ctx context.Context, eventID string) ([]Run, error) {
	var runs []Run
	err := s.get(ctx, "/v1/events/"+eventID+"/runs", &runs)
	return runs, err
}

// Run asks for one run.
func (s *Server) Run(ctx context.Context, runID string) (Run, error) {
	var run Run
	err := s.get(ctx, "/v1/runs/"+runID, &run)
	return run, err
}

// EventData asks for the data of an event as the server keeps it.
func (s *Server) EventData(ctx context.Context, eventID string) (json.RawMessage, error) {
	var event struct {
		Data json.RawMessage `json:"data"`
	}
	err := s.get(ctx, "/v1/events/"+eventID, &event)
	return event.Data, err
}

// AwaitRun returns the one run of the event once it has ended, and fails the test if there are several or none. Both
// views of the server must agree, and so must the trace of the run.
func (s *Server) AwaitRun(t testing.TB, eventID string, limit time.Duration) Run {
	t.Helper()
	var run Run
	Eventually(t, limit, "run of event "+eventID, func() (bool, string) {
		runs, err := s.EventRuns(t.Context(), eventID)
		if err != nil {
			return false, err.Error()
		}
		if len(runs) > 1 {
			t.Fatalf("event %s started %d runs: %+v", eventID, len(runs), runs)
		}
		if len(runs) == 0 {
			return false, "no run yet"
		}
		if run, err = s.Run(t.Context(), runs[0].ID); err != nil {
			return false, err.Error()
		}
		return run.Ended() && runs[0].Status == run.Status, fmt.Sprintf("run %s is %s, in the event's list %s", run.ID, run.Status, runs[0].Status)
	})
	s.CheckTrace(t, run)
	return run
}

// AwaitRunID is AwaitRun for a run whose id is known.
func (s *Server) AwaitRunID(t testing.TB, runID string, limit time.Duration) Run {
	t.Helper()
	var run Run
	Eventually(t, limit, "end of run "+runID, func() (bool, string) {
		var err error
		if run, err = s.Run(t.Context(), runID); err != nil {
			return false, err.Error()
		}
		return run.Ended(), run.Status
	})
	s.CheckTrace(t, run)
	return run
}
