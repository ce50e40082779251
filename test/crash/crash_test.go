package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ingothq/ingot/test/harness"
)

var (
	kills = flag.Int("kills", 30, "how often the server is killed")
	seed  = flag.Uint64("seed", 0, "seed of every random choice; 0 takes one from the clock")
	rate  = flag.Int("rate", 120, "events a second, about")
)

const (
	signingKey = "7468697320697320612074657374206b6579"
	eventKey   = "crash-event-key"
	appID      = "crash"
	senders    = 4
	perBatch   = 3                       // events of a batch, on average
	longest    = 1200 * time.Millisecond // longest life of a server between two kills
	endLimit   = 90 * time.Second        // for what is unfinished after the last kill, and for reading it all
)

func TestMain(m *testing.M) { harness.Main(m.Run) }

func TestCrash_KillsLoseAndRepeatNothing(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -seed %d -kills %d -rate %d", *seed, *kills, *rate)
	theApp := newCrashApp()
	web := httptest.NewServer(theApp)
	defer web.Close()
	server := harness.Start(t, harness.Options{
		Mode: "start", SigningKey: signingKey, EventKey: eventKey,
		Args: []string{"--sqlite-dir", t.TempDir(), "--retry-interval", "1"},
	})
	register(t, server.URL, web.URL+"/api/inngest")

	load := startLoad(t.Context(), server.URL)
	killRepeatedly(t, server)
	load.stop()
	if err := load.wait(endLimit); err != nil {
		t.Errorf("seed %d: send: %v", *seed, err)
	}
	unfinished := awaitEnds(theApp, load.accepted)
	notCompleted := checkRuns(t, server, theApp, load.accepted)
	verdict(t, theApp, load, unfinished, notCompleted)
}

// killRepeatedly kills the server at random moments, also before it is ready, and leaves it running in the end.
func killRepeatedly(t *testing.T, server *harness.Server) {
	t.Helper()
	rng := rand.New(rand.NewPCG(*seed, 1))
	for n := range *kills {
		time.Sleep(time.Duration(rng.Int64N(int64(longest)))) // the random moment
		if err := server.Kill(); err != nil {
			t.Fatalf("kill %d, seed %d: %v", n+1, *seed, err)
		}
		if err := server.Launch(); err != nil {
			t.Fatalf("restart %d, seed %d: %v", n+1, *seed, err)
		}
		if rng.IntN(4) == 0 {
			continue // the next kill may meet the start
		}
		if err := server.AwaitHealthy(t.Context()); err != nil {
			t.Fatalf("restart %d, seed %d: %v", n+1, *seed, err)
		}
	}
	if err := server.AwaitHealthy(t.Context()); err != nil {
		t.Fatalf("last restart, seed %d: %v", *seed, err)
	}
}

// load is the senders at work and what they achieved.
type load struct {
	mu       sync.Mutex
	accepted map[string]string // internal event id by key, of events that got a 200
	sent     int
	resent   int

	stop    context.CancelFunc // no new batches
	give    context.CancelFunc // no more repetitions
	results chan error
}

func startLoad(ctx context.Context, url string) *load {
	l := &load{accepted: map[string]string{}, results: make(chan error, senders)}
	begin, stop := context.WithCancel(ctx)
	drain, give := context.WithCancel(ctx)
	l.stop, l.give = stop, give
	pause := time.Duration(senders*perBatch) * time.Second / time.Duration(*rate)
	for i := range senders {
		s := &sender{url: url, index: i, rng: rand.New(rand.NewPCG(*seed, uint64(i)+2)),
			mu: &l.mu, accepted: l.accepted, resent: &l.resent, sent: &l.sent}
		go func() { l.results <- s.run(begin, drain, pause) }()
	}
	return l
}

// wait returns when all senders have ended, with the first error of one.
func (l *load) wait(limit time.Duration) error {
	timer := time.AfterFunc(limit, l.give)
	defer timer.Stop()
	defer l.give()
	var first error
	for range senders {
		if err := <-l.results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// awaitEnds waits until the app has seen the end of every accepted event, and returns the keys that have none in time.
func awaitEnds(theApp *app, accepted map[string]string) []string {
	var open []string
	_ = harness.Poll(endLimit, func() (bool, string) {
		open = open[:0]
		for key := range accepted {
			if !theApp.finished(key) {
				open = append(open, key)
			}
		}
		return len(open) == 0, fmt.Sprintf("%d without an end", len(open))
	})
	return open
}

// checkRuns asks the server for every run that the app saw and for the runs of every accepted event. It returns what
// is wrong, as sentences.
func checkRuns(t *testing.T, server *harness.Server, theApp *app, accepted map[string]string) []string {
	t.Helper()
	type question struct{ key, runID string }
	questions := make(chan question)
	var mu sync.Mutex
	var wrong []string
	var workers sync.WaitGroup
	deadline := time.Now().Add(endLimit)
	for range 8 {
		workers.Go(func() {
			for q := range questions {
				err := harness.Poll(min(30*time.Second, max(time.Until(deadline), 0)), func() (bool, string) {
					return reads(t.Context(), server, q.runID, accepted[q.key])
				})
				if err != nil {
					mu.Lock()
					wrong = append(wrong, fmt.Sprintf("event %s, run %s: %v", q.key, q.runID, err))
					mu.Unlock()
				}
			}
		})
	}
	for key, ids := range theApp.runIDs() {
		for _, runID := range ids {
			questions <- question{key: key, runID: runID}
		}
	}
	close(questions)
	workers.Wait()
	return wrong
}

// reads reports whether the run reads Completed and, when the event was accepted, is the only one in its list.
func reads(ctx context.Context, server *harness.Server, runID, eventID string) (bool, string) {
	run, err := server.Run(ctx, runID)
	if err != nil {
		return false, err.Error()
	}
	if run.Status != harness.Completed || run.EndedAt == nil {
		return false, "run is " + run.Status
	}
	if eventID == "" {
		return true, ""
	}
	runs, err := server.EventRuns(ctx, eventID)
	if err != nil {
		return false, err.Error()
	}
	if len(runs) != 1 || runs[0].ID != runID {
		return false, fmt.Sprintf("event %s lists %d runs: %v", eventID, len(runs), runs)
	}
	return true, ""
}

// verdict prints the figures and fails the test for each rule that was broken.
func verdict(t *testing.T, theApp *app, l *load, unfinished, notCompleted []string) {
	t.Helper()
	twice := 0
	for key, ids := range theApp.runIDs() {
		if len(ids) > 1 {
			twice++
			t.Errorf("event %s started the runs %v", key, ids)
		}
	}
	theApp.mu.Lock()
	defer theApp.mu.Unlock()
	fmt.Printf("crash: kills=%d sent=%d accepted=%d finished=%d repeated=%d lost=%d twice=%d not_completed=%d resent_batches=%d runs=%d calls=%d executions=%d seed=%d\n",
		*kills, l.sent, len(l.accepted), len(l.accepted)-len(unfinished), theApp.repeated, len(unfinished), twice, len(notCompleted),
		l.resent, len(theApp.runs), theApp.calls, theApp.executions, *seed)
	if len(l.accepted) == 0 {
		t.Error("no event was accepted, nothing was tested")
	}
	report(t, "accepted event without an end", unfinished)
	report(t, "wrong in the read API", notCompleted)
	report(t, "broken promise", theApp.violations)
}

// report fails the test with the first few of many findings.
func report(t *testing.T, what string, findings []string) {
	t.Helper()
	for i, finding := range findings {
		if i == 10 {
			t.Errorf("%s: %d more", what, len(findings)-i)
			return
		}
		t.Errorf("%s: %s", what, finding)
	}
}

// register tells the server of the app's one function, as an SDK does (Spec 01 §4.1).
func register(t *testing.T, server, appURL string) {
	t.Helper()
	const slug = appID + "-fn"
	body, err := json.Marshal(map[string]any{
		"url": appURL, "deployType": "ping", "appName": appID, "sdk": "js:v3.54.2", "v": "0.1", "framework": "nodejs",
		"functions": []any{map[string]any{
			"id": slug, "name": "fn", "triggers": []any{map[string]any{"event": "crash/go"}},
			"steps": map[string]any{"step": map[string]any{
				"id": "step", "name": "step",
				"runtime": map[string]any{"type": "http", "url": appURL + "?fnId=" + slug + "&stepId=step"},
				"retries": map[string]any{"attempts": 4},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/fn/register", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Inngest-Sdk", "inngest-js:v3.54.2")
	req.Header.Set("Authorization", "Bearer "+signingKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("register: status %d, %v: %s", resp.StatusCode, err, text)
	}
}
