package replay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

// endpointReplay is a recording of durable endpoints while it is replayed. Its runs begin inside requests to the app, and the
// calls of the server are those requests made once more: they name their run in a header, and hold nothing else of it.
type endpointReplay struct {
	rec  *recording
	srv  *server
	addr string // of the app
	rw   *rewriter
	runs []*endpointRun
	held context.Context // until when calls that come after the end of the recording wait

	mu     sync.Mutex
	bound  map[string]string // tokens and ids of this server by those of the recording
	found  []mismatch
	strays []string
}

// endpointRun is a recorded run of a durable endpoint, and the run that replays it.
type endpointRun struct {
	recorded, id string
	request      endpointRequest
	registered   registered // what this server's ids must be
	was          registered // those of the recording
	ends         bool       // the recording shows its end
	ops          [][]string // what the app reported and answered
	calls        []*exchange
	next         int
	answered     []time.Time // of the calls
	event        string      // the internal id of its event here
}

// endpointRequest is what an app says of the request that a run begins in.
type endpointRequest struct {
	Domain string `json:"domain"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Fn     string `json:"fn"`
}

func (r endpointRequest) register() registered {
	slug := r.Fn
	if slug == "" {
		slug = r.Method + " " + r.Path
	}
	app, function := endpointIDs(r.Domain, slug)
	return registered{appID: app, id: function, uri: r.Domain}
}

// TestDurableEndpoints replays the recorded durable endpoints. Retries come after a second: how long they wait is a table of
// the domain with its own test.
func TestDurableEndpoints(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts4"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			replay := newEndpointReplay(t, load(t, "35-durable-endpoint."+lane))
			replay.srv = startServer(t, "--no-poll", "--retry-interval", "1")
			web := httptest.NewServer(replay)
			ctx, end := context.WithCancel(t.Context())
			t.Cleanup(func() { end(); web.Close() })
			replay.held = ctx
			replay.move(strings.TrimPrefix(web.URL, "http://"))
			replay.play(ctx)
			replay.compareReads(ctx)
			for _, stray := range replay.strays {
				t.Errorf("the app was asked for what it does not have: %s", stray)
			}
			judge(t, replay.rec.name, replay.found)
		})
	}
}

// newEndpointReplay reads the runs out of a recording.
func newEndpointReplay(t *testing.T, rec *recording) *endpointReplay {
	t.Helper()
	replay := &endpointReplay{rec: rec, bound: map[string]string{}}
	rec.all(func(one *exchange) {
		run, ops, err := replay.runOf(one)
		if err != nil {
			t.Fatalf("%s: exchange %d: %v", rec.name, one.number, err)
		}
		if run != nil && one.request.Dir == "server->app" {
			run.calls = append(run.calls, one)
			ops = append(ops, answerOps(one.response.Body))
		}
		if run != nil {
			run.ops = append(run.ops, ops...)
		}
	})
	for _, run := range replay.runs {
		run.answered = make([]time.Time, len(run.calls))
		for _, read := range rec.reads {
			run.ends = run.ends || read.Path == "/v1/runs/"+run.recorded && !strings.Contains(read.Body, `"status":"Running"`)
		}
	}
	return replay
}

// isStart says whether a request begins a run.
func isStart(msg message) bool {
	return msg.Dir == "app->server" && (msg.Path == "/v1/http/runs" || msg.Path == "/v1/checkpoint")
}

// runOf is the run that an exchange is about, with the ops that it reports. A run is known from the first time it is begun.
func (e *endpointReplay) runOf(one *exchange) (*endpointRun, [][]string, error) {
	if one.request.Dir == "server->app" {
		return e.run(one.request.Headers.get("X-Run-Id")), nil, nil
	}
	if one.request.Method != http.MethodPost || one.request.Dir != "app->server" || one.request.Headers.get("Content-Type") != "application/json" {
		return nil, nil, nil
	}
	var sent struct {
		RunID string          `json:"run_id"`
		AppID string          `json:"app_id"`
		Steps json.RawMessage `json:"steps"`
		Event struct {
			Data endpointRequest `json:"data"`
		} `json:"event"`
	}
	if err := json.Unmarshal([]byte(one.request.Body), &sent); err != nil {
		return nil, nil, fmt.Errorf("decode report: %w", err)
	}
	run := e.run(sent.RunID)
	if run == nil && isStart(one.request) {
		id, err := ulid.New(ulid.Now(), rand.Reader)
		if err != nil {
			return nil, nil, fmt.Errorf("make run id: %w", err)
		}
		run = &endpointRun{recorded: sent.RunID, id: id.String(), request: sent.Event.Data, was: sent.Event.Data.register()}
		e.runs = append(e.runs, run)
	}
	return run, [][]string{answerOps(string(sent.Steps))}, nil
}

func (e *endpointReplay) run(recorded string) *endpointRun {
	for _, run := range e.runs {
		if run.recorded == recorded {
			return run
		}
	}
	return nil
}

// move takes the runs to the app's address.
func (e *endpointReplay) move(addr string) {
	e.addr = addr
	port := recordedPorts[e.rec.lane()]
	e.rw = &rewriter{addresses: strings.NewReplacer("127.0.0.1:"+port, addr), ids: strings.NewReplacer()}
	for _, run := range e.runs {
		request := run.request
		request.Domain = e.rw.text(request.Domain)
		run.registered = request.register()
	}
}

// personal moves a text of the recording to this server's ids. The replay must be locked.
func (e *endpointReplay) personal(recorded string) string {
	var pairs []string
	for _, run := range e.runs {
		pairs = append(pairs, run.recorded, run.id, run.was.id, run.registered.id, run.was.appID, run.registered.appID)
		if event := e.rec.eventOf(run.recorded); event != "" && run.event != "" {
			pairs = append(pairs, event, run.event)
		}
	}
	for was, is := range e.bound {
		pairs = append(pairs, was, is)
	}
	return strings.NewReplacer(pairs...).Replace(e.rw.text(recorded))
}
