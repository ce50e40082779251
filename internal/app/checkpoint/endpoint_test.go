package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/app/advance"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/app/ingest"
	"github.com/ingothq/ingot/internal/app/registry"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// endpoints is the use case on ports in memory.
type endpoints struct {
	*checkpoint.Checkpoint

	backend  *mem.Backend
	registry *registry.Registry
	news     *news
	deps     checkpoint.Deps
}

func newEndpoints(t *testing.T, change ...func(*checkpoint.Deps)) *endpoints {
	t.Helper()
	clock := testkit.Clock{}
	backend := mem.New(clock)
	e := &endpoints{backend: backend, registry: registry.New(backend, slog.New(slog.DiscardHandler)), news: &news{frames: make(chan realtime.Frame, 1)}}
	in := ingest.New(backend, clock, testkit.IDs{})
	e.deps = checkpoint.Deps{
		Advance: advance.New(backend, in, nil, slog.New(slog.DiscardHandler), advance.Pause(testkit.Clock{})), Store: backend, History: backend.History(), Catalog: backend, Functions: e.registry,
		Tracker: in, Limits: func(uuid.UUID) run.Limits { return run.DefaultLimits }, Broadcast: e.news, Tokens: plainTokens{}, Clock: clock, IDs: testkit.IDs{},
	}
	for _, c := range change {
		c(&e.deps)
	}
	e.Checkpoint = checkpoint.New(e.deps)
	return e
}

// news is a broadcast with one subscriber.
type news struct {
	frames chan realtime.Frame
	err    error
	topics []realtime.Topic
}

func (n *news) Publish(context.Context, realtime.Topic, realtime.Frame) error { return nil }

func (n *news) Heard(uuid.UUID, string) bool { return true }

func (n *news) Subscribe(_ context.Context, topics []realtime.Topic) (ports.Subscription, error) {
	if n.err != nil {
		return nil, n.err
	}
	n.topics = topics
	return n, nil
}

func (n *news) Next(ctx context.Context) (realtime.Frame, error) {
	select {
	case frame, open := <-n.frames:
		if !open {
			return realtime.Frame{}, ports.ErrClosed
		}
		return frame, nil
	case <-ctx.Done():
		return realtime.Frame{}, ctx.Err()
	}
}

func (n *news) Add(context.Context, []realtime.Topic) error    { return nil }
func (n *news) Remove(context.Context, []realtime.Topic) error { return nil }
func (n *news) Close()                                         {}

// plainTokens are tokens that say what they are.
type plainTokens struct{ ports.Tokens }

func (plainTokens) SignRun(c realtime.RunClaims) (string, error) {
	return "run " + c.RunID.String(), nil
}

func (plainTokens) SignRealtime(c realtime.Claims) (string, error) {
	return "stream " + c.Topics[0].Channel, nil
}

func (plainTokens) VerifyRun(token string, _ time.Time) (realtime.RunClaims, error) {
	id, err := ulid.ParseStrict(strings.TrimPrefix(token, "run "))
	if err != nil {
		return realtime.RunClaims{}, ports.ErrBadToken
	}
	return realtime.RunClaims{RunID: id}, nil
}

const jsSDK = "inngest-js:v4.24.0"

// newRun is a request that begins a run.
func newRun(id ulid.ULID, fn, steps string) []byte {
	return fmt.Appendf(nil, `{"run_id":%q,"event":{"name":"inngest/http.request","data":{"domain":"https://a.test","method":"POST","path":"/p","fn":%q,"body":"{}"}},`+
		`"steps":%s,"request_version":2,"retries":3}`, id, fn, steps)
}

func reported(id ulid.ULID, steps string) []byte {
	return fmt.Appendf(nil, `{"run_id":%q,"fn_id":%q,"app_id":%q,"steps":%s}`, id, uuid.Nil, uuid.Nil, steps)
}

const (
	oneStep = `[{"op":"StepRun","id":"a","name":"a","data":{"x":1}}]`
	theEnd  = `[{"op":"RunComplete","id":"end","data":{"status":201,"headers":{"X-Mine":"1"},"body":"{\"ok\":true}"}}]`
)

func TestStart_BeginsARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoints(t)
		id := testkit.IDs{}.ULID(time.Now())
		started, err := e.Start(t.Context(), jsSDK, newRun(id, "", oneStep))
		if err != nil {
			t.Fatal(err)
		}
		_, fn := function.Endpoint("https://a.test", "POST /p", "POST", nil)
		want := checkpoint.Started{FunctionID: fn.ID, AppID: fn.AppID, RunID: id, OutputToken: "run " + id.String(), StreamToken: "stream " + id.String()}
		if started != want {
			t.Errorf("started %+v, want %+v", started, want)
		}
		state, err := e.backend.Load(t.Context(), id)
		if err != nil || string(state.Steps["a"]) != `{"data":{"x":1}}` || *state.Endpoint != (run.Endpoint{Method: "POST", Language: "js"}) || state.RequestVersion != 2 || len(state.Jobs) != 1 {
			t.Errorf("state %+v, %v", state, err)
		}
		stored, err := ports.One(e.backend.FunctionsByID(t.Context(), []uuid.UUID{fn.ID}))
		if err != nil || stored.MaxAttempts() != 4 {
			t.Errorf("function %+v, %v", stored, err)
		}
		if events := e.backend.AllEvents(); len(events) != 1 || events[0].Name != "inngest/http.request" || events[0].ID != events[0].InternalID.String() || events[0].TS == 0 {
			t.Errorf("events %+v", events)
		}
		again, err := e.Start(t.Context(), jsSDK, newRun(id, "", oneStep))
		if err != nil || again != want || len(e.backend.AllEvents()) != 1 {
			t.Errorf("repeated: %+v, %v", again, err)
		}
		without, err := e.Start(t.Context(), "", newRun(testkit.IDs{}.ULID(time.Now()), "mine", `[]`))
		if err != nil || without.OutputToken != "" || without.StreamToken == "" {
			t.Errorf("without steps: %+v, %v", without, err)
		}
	})
}

func TestStart_AndEndAtOnce(t *testing.T) {
	t.Parallel()
	e := newEndpoints(t)
	id := testkit.IDs{}.ULID(time.Now())
	body := newRun(id, "", strings.TrimSuffix(oneStep, "]")+","+strings.TrimPrefix(theEnd, "["))
	for range 2 {
		if _, err := e.Start(t.Context(), "", body); err != nil {
			t.Fatal(err)
		}
	}
	record, err := e.backend.Run(t.Context(), id)
	if err != nil || record.Status != run.Completed || string(record.Output) != `{"ok":true}` {
		t.Errorf("record %+v, %v", record, err)
	}
	if err := e.Report(t.Context(), reported(id, theEnd)); err != nil {
		t.Errorf("the end, once more: %v", err)
	}
	refused := (*checkpoint.InvalidError)(nil)
	if err := e.Report(t.Context(), reported(id, oneStep)); !errors.As(err, &refused) || refused.Reason != "run not found in state store" {
		t.Errorf("a step after the end: %v", err)
	}
}

func TestStart_WritesTheFunctionWhenItChanges(t *testing.T) {
	t.Parallel()
	catalog := &countedCatalog{}
	e := newEndpoints(t, func(d *checkpoint.Deps) { catalog.Catalog, d.Catalog = d.Catalog, catalog })
	start := func(retries string) {
		body := strings.Replace(string(newRun(testkit.IDs{}.ULID(time.Now()), "", `[]`)), `"retries":3`, retries, 1)
		if _, err := e.Start(t.Context(), "", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, retries := range []string{`"retries":3`, `"retries":3`, `"retries":1`, `"retries":1`} {
		start(retries)
	}
	if catalog.syncs != 2 {
		t.Errorf("written %d times, want 2", catalog.syncs)
	}
}

type countedCatalog struct {
	ports.Catalog
	syncs int
	err   error
}

func (c *countedCatalog) Sync(ctx context.Context, plan function.SyncPlan) error {
	c.syncs++
	if c.err != nil {
		return c.err
	}
	return c.Catalog.Sync(ctx, plan)
}

func TestStart_RefusesByName(t *testing.T) {
	t.Parallel()
	id := testkit.IDs{}.ULID(time.Now())
	good := string(newRun(id, "", oneStep))
	for name, c := range map[string]struct {
		body, reason string
		large        bool
	}{
		"no JSON":        {`{nope`, "Invalid request body", false},
		"no run":         {`{}`, "Invalid request body: run_id is required", false},
		"no event":       {fmt.Sprintf(`{"run_id":%q}`, id), "Invalid request body: ", false},
		"no address":     {strings.Replace(good, "https://", "", 1), "Invalid request body: event.data.domain: ", false},
		"an unknown op":  {strings.Replace(good, "StepRun", "Brew", 1), "invalid request body: ", false},
		"a step too big": {strings.Replace(good, `{"x":1}`, `"`+strings.Repeat("x", 4<<20)+`"`, 1), "step a output too large", true},
		"a bad step":     {strings.Replace(good, oneStep, `[{"op":"StepError","id":"a"}]`, 1), "OpcodeStepError received without Error", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newEndpoints(t).Start(t.Context(), "", []byte(c.body))
			refused := (*checkpoint.InvalidError)(nil)
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Reason, c.reason) || refused.TooLarge != c.large {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStart_DoesNotTakeOverARunOfAnother(t *testing.T) {
	t.Parallel()
	e := newEndpoints(t)
	id := testkit.IDs{}.ULID(time.Now())
	if _, err := e.Start(t.Context(), "", newRun(id, "one", `[]`)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Start(t.Context(), "", newRun(id, "two", `[]`)); !errors.Is(err, checkpoint.ErrRunExists) {
		t.Errorf("%v", err)
	}
}

func TestReport_RefusesRunsOfFunctions(t *testing.T) {
	t.Parallel()
	e := newEndpoints(t)
	id := testkit.IDs{}.ULID(time.Now())
	refused := (*checkpoint.InvalidError)(nil)
	if err := e.Report(t.Context(), reported(id, oneStep)); !errors.As(err, &refused) || refused.Run != id {
		t.Errorf("an unknown run: %v", err)
	}
	if err := e.Report(t.Context(), []byte(`{`)); !errors.As(err, &refused) || !strings.HasPrefix(refused.Reason, "invalid request body: ") {
		t.Errorf("no JSON: %v", err)
	}
	if err := e.Report(t.Context(), reported(id, `[{"op":"Brew"}]`)); !errors.As(err, &refused) {
		t.Errorf("an unknown op: %v", err)
	}
}

func TestEndpoints_SayWhenTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	catalog := &countedCatalog{err: broken}
	id := testkit.IDs{}.ULID(time.Now())
	e := newEndpoints(t, func(d *checkpoint.Deps) { d.Catalog = catalog })
	if _, err := e.Start(t.Context(), "", newRun(id, "", `[]`)); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	e = newEndpoints(t)
	e.backend.Close()
	if _, err := e.Start(t.Context(), "", newRun(id, "", `[]`)); !errors.Is(err, ports.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAwait_ReturnsAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		news bool
		err  error
	}{"told": {news: true}, "not told": {}, "nobody to tell": {err: ports.ErrTooManySubscribers}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoints(t)
				e.news.err = c.err
				id := testkit.IDs{}.ULID(time.Now())
				started, err := e.Start(t.Context(), "", newRun(id, "", oneStep))
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				go func() {
					time.Sleep(time.Second)
					if err := e.Report(t.Context(), reported(id, theEnd)); err != nil {
						t.Error(err)
					}
					if c.news {
						e.news.frames <- realtime.Frame{}
					}
				}()
				output, err := e.Await(t.Context(), started.OutputToken, time.Minute)
				if err != nil || output.Status != run.Completed || output.Response.Status != 201 || string(output.Raw) != `{"ok":true}` {
					t.Errorf("%+v, %v", output, err)
				}
				if waited := time.Since(begin); waited > 5*time.Second || c.news && waited > time.Second {
					t.Errorf("waited %s", waited)
				}
				if c.err == nil && (len(e.news.topics) != 1 || e.news.topics[0].Channel != id.String() || e.news.topics[0].Name != "$run") {
					t.Errorf("listens to %+v", e.news.topics)
				}
			})
		})
	}
}

func TestAwait_GivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoints(t)
		id := testkit.IDs{}.ULID(time.Now())
		started, err := e.Start(t.Context(), "", newRun(id, "", oneStep))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		output, err := e.Await(t.Context(), started.OutputToken, time.Minute)
		if err != nil || output.Status != run.Running || time.Since(begin) != time.Minute {
			t.Errorf("%+v, %v after %s", output, err, time.Since(begin))
		}
		time.AfterFunc(time.Second, e.Close)
		close(e.news.frames) // the broadcast has closed before
		output, err = e.Await(t.Context(), started.OutputToken, time.Hour)
		if err != nil || output.Status != run.Running || time.Since(begin) != time.Minute+time.Second {
			t.Errorf("%+v, %v after %s", output, err, time.Since(begin))
		}
		if _, err := e.Await(t.Context(), "x", time.Minute); !errors.Is(err, ports.ErrBadToken) {
			t.Errorf("a bad token: %v", err)
		}
		if _, err := e.Await(t.Context(), "run "+testkit.IDs{}.ULID(time.Now()).String(), time.Minute); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("an unknown run: %v", err)
		}
		e.news.err = ports.ErrClosed
		if _, err := e.Await(t.Context(), started.OutputToken, time.Minute); !errors.Is(err, ports.ErrClosed) {
			t.Errorf("a closed broadcast: %v", err)
		}
	})
}

// begun notes of which waits it is told.
type begun map[ulid.ULID][]run.Pause

func (b begun) Began(_ context.Context, id ulid.ULID, pauses []run.Pause) {
	b[id] = append(b[id], pauses...)
}

func TestReport_TellsOfWaitsOnceTheyAreStored(t *testing.T) {
	t.Parallel()
	told := begun{}
	e := newEndpoints(t, func(d *checkpoint.Deps) { d.Waits = told })
	id := testkit.IDs{}.ULID(time.Now())
	if _, err := e.Start(t.Context(), "", newRun(id, "", `[{"op":"WaitForEvent","id":"w","opts":{"event":"go","timeout":"1h"}}]`)); err != nil {
		t.Fatal(err)
	}
	if waits := told[id]; len(waits) != 1 || waits[0].Event != "go" {
		t.Errorf("told of %+v", waits)
	}
}
