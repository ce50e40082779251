package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ingothq/ingot/test/harness"
)

var (
	kills = flag.Int("kills", 30, "how often the server is killed")
	seed  = flag.Uint64("seed", 0, "seed of every random choice; 0 takes one from the clock")
	rate  = flag.Int("rate", 120, "plain events a second, about; those of features have a rate of their own")
	// Shorter lives meet starts more often, and leave less time for what waits.
	longest = flag.Duration("longest", 1200*time.Millisecond, "longest life of a server between two kills")
)

const (
	signingKey     = "7468697320697320612074657374206b6579"
	eventKey       = "crash-event-key"
	appID          = "crash"
	senders        = 4                      // of plain events
	perBatch       = 3                      // events of a batch, on average
	featureSenders = 2                      // of events of features
	featurePause   = 100 * time.Millisecond // between two batches of one of them
	unharmed       = 6 * time.Second        // length of the load without kills
	endLimit       = 90 * time.Second       // for what is unfinished after the last kill, and for reading it all
)

func TestMain(m *testing.M) { harness.Main(m.Run) }

// TestCrash_KillsLoseAndRepeatNothing runs side by side with TestCrash_WithoutKills.
func TestCrash_KillsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	crash(t, "kills", func(server *harness.Server) lives { return killRepeatedly(t, server) })
}

// TestCrash_WithoutKills shows that the same load meets the same rules on a server that nobody kills.
func TestCrash_WithoutKills(t *testing.T) {
	t.Parallel()
	crash(t, "unharmed", func(*harness.Server) lives {
		begin := time.Now()
		time.Sleep(unharmed)
		return lives{{launched: begin, ready: begin}}
	})
}

// chosenSeed is the seed of the test process.
var chosenSeed = sync.OnceValue(func() uint64 {
	if *seed != 0 {
		return *seed
	}
	return uint64(time.Now().UnixNano())
})

// crash puts a server under load until harm returns, and checks what has become of it all.
func crash(t *testing.T, name string, harm func(*harness.Server) lives) {
	t.Helper()
	t.Logf("repeat with -seed %d -kills %d -rate %d -longest %s", chosenSeed(), *kills, *rate, *longest)
	theApp := newCrashApp()
	web := theApp.serve()
	defer web.Close()
	server := harness.Start(t, harness.Options{
		Mode: "start", SigningKey: signingKey, EventKey: eventKey,
		Args: []string{"--sqlite-dir", t.TempDir(), "--retry-interval", "1"},
	})
	register(t, server.URL, web.URL+"/api/inngest")

	load := startLoad(t.Context(), server.URL, theApp)
	was := harm(server)
	load.stop()
	if err := load.wait(endLimit); err != nil {
		t.Errorf("seed %d: send: %v", chosenSeed(), err)
	}
	accepted := load.ledger.accepted()
	unfinished, settled := awaitEnds(theApp, load.ledger)
	fates, unsettled := awaitFates(t, server, load.ledger)
	notCompleted := checkRuns(t, server, theApp, accepted)
	verdict(t, name, theApp, load.ledger, len(was)-1, unfinished, append(notCompleted, unsettled...))
	for _, f := range features {
		h := history{events: load.ledger.of(f.kind), lives: was}
		h.runs, h.calls = theApp.seen(f.kind, settled)
		judge(t, name, f, h, fates)
	}
}

// killRepeatedly kills the server at random moments, also before it is ready, and leaves it running in the end. It
// returns when the server lived.
func killRepeatedly(t *testing.T, server *harness.Server) lives {
	t.Helper()
	rng := rand.New(rand.NewPCG(chosenSeed(), 1))
	now := time.Now()
	all := lives{{launched: now, ready: now}}
	for n := range *kills {
		time.Sleep(time.Duration(rng.Int64N(int64(*longest)))) // the random moment
		last := &all[len(all)-1]
		last.killed = time.Now()
		if err := server.Kill(); err != nil {
			t.Fatalf("kill %d, seed %d: %v", n+1, chosenSeed(), err)
		}
		last.gone = time.Now()
		all = append(all, life{launched: time.Now()})
		if err := server.Launch(); err != nil {
			t.Fatalf("restart %d, seed %d: %v", n+1, chosenSeed(), err)
		}
		if rng.IntN(4) == 0 && n+1 < *kills {
			continue // the next kill may meet the start
		}
		if err := server.AwaitHealthy(t.Context()); err != nil {
			t.Fatalf("restart %d, seed %d: %v", n+1, chosenSeed(), err)
		}
		all[len(all)-1].ready = time.Now()
	}
	return all
}

// load is the senders at work and what they achieved.
type load struct {
	ledger  *ledger
	stop    context.CancelFunc // no new batches
	give    context.CancelFunc // no more repetitions
	senders int
	results chan error
}

func startLoad(ctx context.Context, url string, theApp *app) *load {
	l := &load{ledger: newLedger(), results: make(chan error, senders+featureSenders)}
	begin, stop := context.WithCancel(ctx)
	drain, give := context.WithCancel(ctx)
	l.stop, l.give = stop, give
	start := func(index int, pause time.Duration, builder func(rng *rand.Rand) func(n int) []event) {
		rng := rand.New(rand.NewPCG(chosenSeed(), uint64(index)+2))
		s := &sender{url: url, rng: rng, ledger: l.ledger, build: builder(rng)}
		l.senders++
		go func() { l.results <- s.run(begin, drain, pause) }()
	}
	for i := range senders {
		pause := time.Duration(senders*perBatch) * time.Second / time.Duration(*rate)
		start(i, pause, func(rng *rand.Rand) func(int) []event { return plainEvents(rng, i) })
	}
	open := func(group string) int { return l.ledger.open(group, theApp.finished) }
	for i := range featureSenders {
		start(senders+i, featurePause, func(rng *rand.Rand) func(int) []event { return featureEvents(rng, i, open) })
	}
	return l
}

// wait returns when all senders have ended, with the first error of one.
func (l *load) wait(limit time.Duration) error {
	timer := time.AfterFunc(limit, l.give)
	defer timer.Stop()
	defer l.give()
	var first error
	for range l.senders {
		if err := <-l.results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// awaitEnds waits until the app has seen the end of every accepted event that has to have a run, and of every run that
// was called. It returns the keys of those that have none in time, and when that was. Runs that begin later are of events
// that were never answered.
func awaitEnds(theApp *app, sent *ledger) (unfinished []string, settled time.Time) {
	open := mustEnd(sent.all())
	_ = harness.Poll(endLimit, func() (bool, string) {
		open = slices.DeleteFunc(open, func(keys []string) bool { return slices.ContainsFunc(keys, theApp.finished) })
		settled = time.Now()
		return len(open) == 0 && theApp.idle(), fmt.Sprintf("%d without an end", len(open))
	})
	for _, keys := range open {
		unfinished = append(unfinished, keys[0])
	}
	return unfinished, settled
}

// mustEnd returns the keys of the accepted events that have to have a run that ends. Behind each stand the keys of events
// whose runs do as well: those in doubt that may have taken the place of the last one of a group.
func mustEnd(events []sentEvent) [][]string {
	var keys [][]string
	last := map[string]sentEvent{}
	for _, e := range events {
		f, found := featureOf(e.kind)
		switch {
		case !e.accepted() || found && f.asks:
		case !found || !f.last:
			keys = append(keys, []string{e.key})
		case e.ts > last[e.group].ts:
			last[e.group] = e
		}
	}
	for group, e := range last {
		either := []string{e.key}
		for _, other := range events {
			if other.group == group && !other.accepted() && other.ts > e.ts {
				either = append(either, other.key)
			}
		}
		keys = append(keys, either)
	}
	return keys
}

// awaitFates asks the server for the runs of the accepted events of which only the server knows whether they have any,
// until all of these have ended.
func awaitFates(t *testing.T, server *harness.Server, sent *ledger) (fates map[string]fate, wrong []string) {
	t.Helper()
	fates = map[string]fate{}
	deadline := time.Now().Add(endLimit)
	for _, e := range sent.all() {
		if f, found := featureOf(e.kind); !found || !f.asks || !e.accepted() {
			continue
		}
		err := harness.Poll(min(30*time.Second, max(time.Until(deadline), 0)), func() (bool, string) {
			runs, err := server.EventRuns(t.Context(), e.id)
			if err != nil {
				return false, err.Error()
			}
			var found fate
			for _, run := range runs {
				switch {
				case !run.Ended():
					return false, "run " + run.ID + " is " + run.Status
				case run.Status == harness.Skipped:
					found.skipped++
				case run.Status == harness.Completed:
					found.completed++
				}
			}
			fates[e.key] = found
			return e.kind != featureSingleton || len(runs) > 0, fmt.Sprintf("%d runs", len(runs))
		})
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("event %s: %v", e.key, err))
		}
	}
	return fates, wrong
}

// checkRuns asks the server for every run that the app saw and for the runs of its event, of a batch those of the first.
// It returns what is wrong, as sentences.
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
	for runID, key := range theApp.firsts() {
		questions <- question{key: key, runID: runID}
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
func verdict(t *testing.T, name string, theApp *app, sent *ledger, killed int, unfinished, notCompleted []string) {
	t.Helper()
	twice := theApp.twice()
	for key, ids := range twice {
		t.Errorf("event %s started the runs %v", key, ids)
	}
	accepted := len(sent.accepted())
	theApp.mu.Lock()
	defer theApp.mu.Unlock()
	fmt.Printf("crash: %s: kills=%d sent=%d accepted=%d repeated=%d lost=%d twice=%d not_completed=%d resent_batches=%d runs=%d calls=%d executions=%d seed=%d\n",
		name, killed, len(sent.events), accepted, theApp.repeated, len(unfinished), len(twice), len(notCompleted),
		sent.resent, len(theApp.runs), theApp.calls, theApp.executions, chosenSeed())
	if accepted == 0 {
		t.Error("no event was accepted, nothing was tested")
	}
	report(t, "accepted event without an end", unfinished)
	report(t, "wrong in the read API", notCompleted)
	report(t, "broken promise", theApp.violations)
}

// judge prints the figures of a feature and fails the test for each of its rules that was broken.
func judge(t *testing.T, name string, f feature, h history, fates map[string]fate) {
	t.Helper()
	wrong := append(h.checkEnds(), f.check(h, fates)...)
	of := h.figures()
	fmt.Printf("crash: %s: %s: kills=%d events=%d accepted=%d just_before_a_kill=%d groups=%d in_runs=%d runs=%d batches=%d calls=%d most_calls=%d most_runs=%d cut_calls=%d wrong=%d\n",
		name, f.kind, len(h.lives)-1, len(h.events), of.accepted, of.late, len(h.groups()), of.inRuns, len(h.runs), of.batches,
		len(h.calls), of.calls, of.runs, of.cut, len(wrong))
	if len(h.runs) == 0 {
		t.Errorf("%s: no run, nothing was tested", f.kind)
	}
	report(t, f.kind, wrong)
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

// register tells the server of the app's functions, as an SDK does (Spec 01 §4.1): the one of plain events, and one of each
// feature.
func register(t *testing.T, server, appURL string) {
	t.Helper()
	functions := []any{function(appURL, "fn", "crash/go", nil)}
	for _, f := range features {
		functions = append(functions, function(appURL, f.kind, "crash/"+f.kind, f.settings))
	}
	body, err := json.Marshal(map[string]any{
		"url": appURL, "deployType": "ping", "appName": appID, "sdk": "js:v3.54.2", "v": "0.1", "framework": "nodejs",
		"functions": functions,
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

// function is the registration of a function.
func function(appURL, name, trigger string, settings map[string]any) map[string]any {
	slug := appID + "-" + name
	fn := map[string]any{
		"id": slug, "name": name, "triggers": []any{map[string]any{"event": trigger}},
		"steps": map[string]any{"step": map[string]any{
			"id": "step", "name": "step",
			"runtime": map[string]any{"type": "http", "url": appURL + "?fnId=" + slug + "&stepId=step"},
			"retries": map[string]any{"attempts": 4},
		}},
	}
	maps.Copy(fn, settings)
	return fn
}
