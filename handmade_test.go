package ingot

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/config"
)

// handmade is an app whose answers a test writes by hand, right or wrong.
type handmade struct {
	*httptest.Server
	functions map[string]handler

	mu    sync.Mutex
	calls map[string]int
}

// handler is a function of the app: the event "app/<name>" starts it, unless trigger says otherwise.
type handler struct {
	retries int
	// trigger is the list of triggers, settings are further members of the registration, both as JSON.
	trigger, settings string
	// answer gets the call and says what the app answers.
	answer func(c call) reply
}

// call is what a handler reads of a call.
type call struct {
	Ctx struct {
		RunID        string `json:"run_id"`
		FnID         string `json:"fn_id"`
		QueueItemID  string `json:"qi_id"`
		GenerationID int    `json:"generation_id"`
		Attempt      int    `json:"attempt"`
	} `json:"ctx"`
	Event struct {
		Data json.RawMessage `json:"data"`
	} `json:"event"`
	Steps map[string]json.RawMessage `json:"steps"`
	// Target is the step that is to run, "step" for none.
	Target string `json:"-"`
	// N counts the calls of the function, from 1.
	N int `json:"-"`
}

// reply is an answer: 200 and 206 of an SDK of version 2 unless header says otherwise.
type reply struct {
	status int
	body   string
	header map[string]string
}

// ops is a list of ops, done the result of a function.
func ops(list ...string) reply { return reply{status: 206, body: "[" + strings.Join(list, ",") + "]"} }

func done(result string) reply { return reply{status: 200, body: result} }

// always is a handler that answers every call alike.
func always(r reply) func(call) reply { return func(call) reply { return r } }

// inTurn is a handler that gives one answer after the other, and the last one for ever.
func inTurn(replies ...reply) func(call) reply {
	return func(c call) reply { return replies[min(c.N, len(replies))-1] }
}

// serve starts a server in memory and an app with the functions, registered with it. Attempts follow each other at once.
func serve(t *testing.T, functions map[string]handler) (*process, *handmade) {
	t.Helper()
	cfg := quiet()
	cfg.RetryInterval = time.Millisecond
	return serveWith(t, cfg, functions)
}

func serveWith(t *testing.T, cfg config.Config, functions map[string]handler) (*process, *handmade) {
	t.Helper()
	a := &handmade{functions: functions, calls: map[string]int{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	p := start(t, cfg)
	if status, body := p.ask(http.MethodPost, "/fn/register", a.registration()); status != http.StatusOK {
		t.Fatalf("register: status %d, body %s", status, body)
	}
	return p, a
}

func (a *handmade) registration() string {
	var functions []string
	for name, fn := range a.functions {
		trigger := fn.trigger
		if trigger == "" {
			trigger = `[{"event":"app/` + name + `"}]`
		}
		functions = append(functions, fmt.Sprintf(
			`{"id":"app-%s","name":"%s","triggers":%s,"steps":{"step":{"id":"step","name":"step","runtime":{"type":"http","url":"%s/api/inngest?fnId=%s&stepId=step"},"retries":{"attempts":%d}}}%s}`,
			name, name, trigger, a.URL, name, fn.retries, fn.settings))
	}
	return `{"v":"0.1","url":"` + a.URL + `/api/inngest","deployType":"ping","sdk":"js:v4.24.0","framework":"nodejs","appName":"app","functions":[` +
		strings.Join(functions, ",") + `],"headers":{"env":"","platform":""}}`
}

// ServeHTTP answers calls.
func (a *handmade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("fnId")
	c := call{Target: r.URL.Query().Get("stepId")}
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a.mu.Lock()
	a.calls[name]++
	c.N = a.calls[name]
	a.mu.Unlock()
	answer := a.functions[name].answer(c)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Inngest-Sdk", "inngest-js:v4.24.0")
	header.Set("X-Inngest-Req-Version", "2")
	for key, value := range answer.header {
		header.Set(key, value)
		if value == "" {
			header.Del(key)
		}
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// called is how often a function was called.
func (a *handmade) called(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[name]
}

// record is what the REST API says of a run.
type record struct {
	RunID   string `json:"run_id"`
	Status  string
	EndedAt *time.Time `json:"ended_at"`
	Output  json.RawMessage
}

// runs are the runs that an event started.
func (p *process) runs(event string) []record {
	p.t.Helper()
	_, body := p.ask(http.MethodGet, "/v1/events/"+event+"/runs", "")
	var answer struct{ Data []record }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		p.t.Fatalf("read runs: %v in %s", err, body)
	}
	return answer.Data
}

// started waits until the event has started a run and returns it.
func (p *process) started(event string) record {
	p.t.Helper()
	var found []record
	p.await("no run has started", func() bool { found = p.runs(event); return len(found) == 1 })
	return found[0]
}

// named is an event.
func named(name, data string) string {
	return `{"name":` + strconv.Quote(name) + `,"data":` + data + `}`
}
