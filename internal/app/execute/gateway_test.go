package execute

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/ports"
)

// other is the other side of the requests of steps.
type other struct {
	asked   []gateway.Request
	answers []gateway.Response
	err     error
}

func (o *other) Do(_ context.Context, request gateway.Request, _ func([]byte)) (gateway.Response, error) {
	o.asked = append(o.asked, request)
	if o.err != nil {
		return gateway.Response{}, o.err
	}
	answer := o.answers[0]
	o.answers = o.answers[1:]
	return answer, nil
}

// fetching is a world whose app wants a request made.
func fetching(t *testing.T, opts string, side *other) *world {
	t.Helper()
	w := setup(t)
	w.deps.Gateway = side
	w.app.answers = []answer{says(206, `[{"op":"Gateway","id":"f","name":"fetch","opts":`+opts+`}]`), says(200, `"done"`)}
	w.start()
	w.executor().Do(t.Context(), w.lease())
	return w
}

// memo is what the step got.
func (w *world) memo(lease ports.Lease) string {
	w.t.Helper()
	state, err := w.backend.Load(w.t.Context(), lease.Job.RunID)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(state.Steps["f"])
}

func TestGateway_RequestIsMadeForTheStep(t *testing.T) {
	t.Parallel()
	side := &other{answers: []gateway.Response{{Status: 404, Header: map[string][]string{"X-A": {"b"}}, Body: []byte("gone")}}}
	w := fetching(t, `{"url":"http://other.test/x","method":"PUT","body":"hi"}`, side)
	lease := w.lease()
	w.executor().Do(t.Context(), lease)
	if len(side.asked) != 1 || side.asked[0].URL != "http://other.test/x" || side.asked[0].Method != http.MethodPut || string(side.asked[0].Body) != "hi" {
		t.Fatalf("asked %+v", side.asked)
	}
	var memo struct {
		Data struct {
			Body       string `json:"body"`
			StatusCode int    `json:"status_code"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(w.memo(lease)), &memo); err != nil || memo.Data.StatusCode != http.StatusNotFound || memo.Data.Body != "gone" {
		t.Errorf("memo %s, %v", w.memo(lease), err)
	}
	w.executor().Do(t.Context(), w.lease())
	if record := w.record(lease.Job.RunID); string(record.Output) != `"done"` {
		t.Errorf("run %+v", record)
	}
}

func TestGateway_FailureIsTriedAgainThenRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		side := &other{answers: []gateway.Response{{TransportError: "connection refused"}, {TransportError: "connection refused"}}}
		w := fetching(t, `{"url":"http://other.test/x"}`, side)
		lease := w.lease()
		w.executor().Do(t.Context(), lease)
		if memo := w.memo(lease); memo != "" {
			t.Fatalf("remembered after the first failure: %s", memo)
		}
		time.Sleep(time.Minute)
		w.executor().Do(t.Context(), w.lease())
		var memo struct{ Error struct{ Name string } }
		if err := json.Unmarshal([]byte(w.memo(lease)), &memo); err != nil || memo.Error.Name != "GatewayError" {
			t.Errorf("memo %s, %v", w.memo(lease), err)
		}
	})
}

func TestGateway_BadOptionsAreTheStepsError(t *testing.T) {
	t.Parallel()
	side := &other{}
	w := fetching(t, `{"url":5}`, side)
	lease := w.lease()
	w.executor().Do(t.Context(), lease)
	var memo struct{ Error struct{ Message string } }
	if err := json.Unmarshal([]byte(w.memo(lease)), &memo); err != nil || memo.Error.Message == "" || len(side.asked) != 0 {
		t.Errorf("memo %s, %v", w.memo(lease), err)
	}
}

func TestGateway_JobIsKeptWhenTheServerStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	side := &other{err: errors.New("stopped")}
	w := fetching(t, `{"url":"http://other.test/x"}`, side)
	lease := w.lease()
	cancel()
	w.executor().Do(ctx, lease)
	if memo := w.memo(lease); memo != "" {
		t.Errorf("remembered: %s", memo)
	}
	w.backend.Crash()
	if again := w.lease(); again.Job.ID != lease.Job.ID || again.Job.Attempt != 0 {
		t.Errorf("got %+v", again.Job)
	}
}
