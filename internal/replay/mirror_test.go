package replay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/testkit"
)

// mirror is the reference's side of one recording: it makes the recorded calls with ids of its own, as the reference would
// today. The tests of the replay itself run against it.
type mirror struct {
	rec    *recording
	app    *fakeApp
	conv   *conversation
	runs   map[string]string                                   // run ids by recorded run id
	events map[string]string                                   // ids of the events that the reference makes, by recorded id
	change func(call int, r *http.Request, body string) string // of a call or of a request to a provider
	reply  func(path string, reply *answer)                    // to what the app asked

	mu       sync.Mutex
	used     map[*exchange]bool
	jobs     []string // recorded ids of calls and those of today, in pairs
	answered map[*exchange]chan struct{}
	done     sync.WaitGroup
}

func newMirror(t *testing.T, name string) *mirror {
	t.Helper()
	m := &mirror{
		rec: load(t, name), runs: map[string]string{}, events: map[string]string{},
		used: map[*exchange]bool{}, answered: map[*exchange]chan struct{}{},
	}
	for _, one := range m.rec.exchanges {
		m.answered[one] = make(chan struct{})
	}
	listener := httptest.NewServer(m)
	t.Cleanup(listener.Close)
	m.app = newFakeApp(t, &server{addr: strings.TrimPrefix(listener.URL, "http://"), url: listener.URL, log: &testkit.Output{}})
	registrations := load(t, "01-registration."+m.rec.lane())
	rw, err := newRewriter(registrations, m.app.addr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	registrations.all(func(one *exchange) {
		if strings.HasPrefix(one.request.Path, "/fn/register") {
			if err := m.app.learn(rw.text(one.request.Body)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if m.conv, err = newConversation(m.app, m.rec); err != nil {
		t.Fatal(err)
	}
	m.conv.hurry, m.conv.twice = true, true
	for runID := range m.conv.functions {
		m.runs[runID] = ulid.MustNew(ulid.Now(), rand.Reader).String()
	}
	for _, function := range m.conv.functions {
		switch trigger := function.trigger; {
		case trigger.random():
			m.events[trigger.id] = ulid.MustNew(ulid.Now(), rand.Reader).String()
		case trigger.op != "":
			m.events[trigger.id] = deferEventID(m.runs[trigger.parent], trigger.op)
		}
	}
	m.start(t.Context())
	return m
}

// personal gives a recorded text the mirror's ids.
func (m *mirror) personal(text string) string {
	text = m.conv.rw.text(text)
	for runID, function := range m.conv.functions {
		text = strings.ReplaceAll(text, runID, m.runs[runID])
		text = strings.ReplaceAll(text, function.calls[0].ctx.FunctionID, m.app.function(function.slug).id)
	}
	for recorded, today := range m.events {
		text = strings.ReplaceAll(text, recorded, today)
	}
	return text
}

// ServeHTTP implements http.Handler.
func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/") {
		m.done.Wait() // the reads were made after the run's end
		for _, read := range m.rec.reads {
			if m.personal(read.Path) == r.URL.Path {
				write(w, answer{status: read.Status, header: appHeaders(read.Headers), body: m.personal(read.Body)})
				return
			}
		}
	}
	if r.URL.Path == "/v0/gql" && m.answerQuery(w, sent) {
		return
	}
	var recorded *exchange
	m.mu.Lock()
	jobs := strings.NewReplacer(m.jobs...)
	m.rec.all(func(one *exchange) {
		same := m.personal(one.request.Path) == r.URL.RequestURI() && one.request.Method == r.Method
		if recorded == nil && same && !m.used[one] && (r.Method != http.MethodPost || jobs.Replace(m.personal(whole(one.request))) == string(sent)) {
			recorded = one
		}
	})
	m.used[recorded] = true
	m.mu.Unlock()
	if recorded == nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	body := m.personal(recorded.response.Body)
	if cut := recorded.response.BodyTruncated; cut != nil {
		body += strings.Repeat("x", cut.Bytes-len(body))
	}
	if done, ok := m.answered[recorded]; ok {
		defer close(done)
	}
	reply := answer{status: recorded.response.Status, header: appHeaders(recorded.response.Headers), body: body}
	if m.reply != nil {
		m.reply(r.URL.Path, &reply)
	}
	write(w, reply)
}

// answerQuery answers a query that is in the recording.
func (m *mirror) answerQuery(w http.ResponseWriter, sent []byte) bool {
	var query struct {
		Query     string            `json:"query"`
		Variables map[string]string `json:"variables"`
	}
	texts, err := queries()
	if err != nil || json.Unmarshal(sent, &query) != nil {
		return false
	}
	m.done.Wait()
	for _, asked := range m.rec.asked {
		same := texts[asked.Name] == query.Query
		for name, value := range asked.Variables {
			same = same && m.personal(value) == query.Variables[name]
		}
		if !same {
			continue
		}
		body := m.personal(asked.Body)
		if value, err := decode(asked.Body); err == nil { // times are also in the JSON of texts
			body = m.personal(render(unfold("", value)))
		}
		if cut := asked.BodyTruncated; cut != nil {
			body += strings.Repeat("x", cut.Bytes-len(body))
		}
		write(w, answer{status: asked.Status, header: appHeaders(asked.Headers), body: body})
		return true
	}
	return false
}

// start makes the recorded calls and requests to providers, each when the answers that came before it are given.
func (m *mirror) start(ctx context.Context) {
	for i, one := range m.rec.exchanges {
		if one.request.Dir != "server->app" && one.request.Dir != "server->provider" {
			continue
		}
		m.done.Go(func() {
			for _, other := range m.rec.exchanges[:i] {
				if other.response.Seq >= one.request.Seq {
					continue
				}
				select {
				case <-m.answered[other]:
				case <-ctx.Done():
					return
				}
			}
			defer close(m.answered[one])
			if one.request.Dir == "server->provider" {
				m.ask(one)
				return
			}
			recorded, _ := contextOf(one.request.Body)
			m.call(one, m.conv.functions[recorded.RunID])
		})
	}
}

// ask makes a recorded request to a provider.
func (m *mirror) ask(one *exchange) {
	request, err := http.NewRequest(one.request.Method, "http://"+m.app.addr+one.request.Path, http.NoBody)
	if err != nil {
		return
	}
	for _, pair := range one.request.Headers {
		request.Header.Set(pair[0], pair[1])
	}
	request.Header.Del("Content-Length")
	request.Header.Del("Host")
	m.send(one, request, m.personal(one.request.Body))
}

// send makes a request and drops the answer.
func (m *mirror) send(one *exchange, request *http.Request, body string) {
	request.Close = true
	if m.change != nil {
		body = m.change(one.number, request, body)
	}
	if body != "" {
		request.Body, request.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

func (m *mirror) call(one *exchange, function *functionRun) {
	recorded, members := contextOf(one.request.Body)
	runID := m.runs[recorded.RunID]
	eventID := triggerOf(map[string]json.RawMessage{"event": json.RawMessage(m.personal(string(members["event"])))})
	if function.batch != nil { // a batch of today, which nobody but the mirror knows
		eventID = (&batch{id: runID}).source(m.app.function(function.slug).id)
	}
	registration := m.app.function(function.slug)
	jobs := map[string]string{}
	for id, name := range jobNames(registration.id, eventID, runID, function.answers) {
		jobs[name] = id
	}
	var job string
	for _, call := range function.calls {
		if call.exchange == one {
			job = jobs[call.job]
		}
	}
	requestID := ulid.MustNew(ulid.Now(), nil).String()[:10] + requestIDEntropy(job, recorded.Generation)
	m.mu.Lock()
	m.jobs = append(m.jobs, recorded.QueueItem, queueItemID(job), recorded.RequestID, requestID)
	m.mu.Unlock()
	body := strings.NewReplacer(recorded.QueueItem, queueItemID(job), recorded.JobID, job, recorded.RequestID, requestID).Replace(m.personal(one.request.Body))
	if cut := one.request.BodyTruncated; cut != nil {
		size := cut.Bytes - len(recorded.JobID) - len(recorded.QueueItem) + len(job) + len(queueItemID(job))
		body += strings.Repeat("x", size-len(body))
	}
	request, err := http.NewRequest(one.request.Method, "http://"+m.app.addr+one.request.Path, http.NoBody)
	if err != nil {
		return
	}
	for _, pair := range one.request.Headers {
		request.Header.Set(pair[0], pair[1])
	}
	request.Host = "localhost:" + portOf(m.app.addr)
	request.Header.Del("Content-Length")
	request.Header.Del("Host")
	request.Header.Set("X-Run-Id", runID)
	request.Header.Set("X-Inngest-Job-Id", job)
	request.Header.Set("X-Request-Id", requestID)
	request.Header.Set("Traceparent", "00-"+traceparent.FindStringSubmatch(request.Header.Get("Traceparent"))[1]+"-"+spanID(job, recorded.Attempt)+"-01")
	state := tracestate.FindStringSubmatch(request.Header.Get("Tracestate"))
	request.Header.Set("Tracestate", strings.NewReplacer(state[1], registration.id, state[2], registration.appID).Replace(state[0]))
	m.send(one, request, body)
}
