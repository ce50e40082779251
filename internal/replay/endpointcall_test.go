package replay

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// ServeHTTP implements http.Handler: the app, where the server repeats the requests of clients.
func (e *endpointReplay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	i := slices.IndexFunc(e.runs, func(run *endpointRun) bool { return run.id == r.Header.Get("X-Run-Id") })
	if err != nil || i < 0 || len(e.runs[i].calls) == 0 {
		e.strays = append(e.strays, fmt.Sprintf("%s %s of run %q: %v", r.Method, r.URL, r.Header.Get("X-Run-Id"), err))
		e.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		return
	}
	run := e.runs[i]
	at, again := run.next, run.next == len(run.calls)
	if again {
		at--
	} else {
		run.next++
	}
	call := run.calls[at]
	e.mu.Unlock()
	if again {
		e.again(w, r, run, call)
		return
	}
	e.note(e.compareCall(run, call, r, string(body)))
	for _, inner := range call.nested {
		e.sendNested(r, call, inner)
	}
	e.reply(w, call)
	e.mu.Lock()
	defer e.mu.Unlock()
	run.answered[at] = time.Now()
}

// again is for a call that is not in the recording. Where the recorded run went on after the recording's end, nothing is known of
// the call, and it gets no answer.
func (e *endpointReplay) again(w http.ResponseWriter, r *http.Request, run *endpointRun, call *exchange) {
	if !run.ends {
		select {
		case <-r.Context().Done():
		case <-e.held.Done():
		}
		return
	}
	e.note([]mismatch{{where: fmt.Sprintf("call %d", call.number), field: "call", want: "(the last)", got: "(made again)"}})
	e.reply(w, call)
}

func (e *endpointReplay) sendNested(r *http.Request, call, inner *exchange) {
	e.mu.Lock()
	target := e.personal(inner.request.Path)
	want := inner.response
	want.Body = e.personal(want.Body)
	e.mu.Unlock()
	cmp := &comparer{where: fmt.Sprintf("call %d nested %d", call.number, inner.number), excuse: e.excuse}
	cmp.exchange(r.Context(), e.srv, e.rw, inner.request, target, inner.request.Body, want)
	e.note(cmp.found)
}

// reply plays the recorded answer.
func (e *endpointReplay) reply(w http.ResponseWriter, call *exchange) {
	e.mu.Lock()
	recorded := answer{status: call.response.Status, header: appHeaders(call.response.Headers), body: e.personal(call.response.Body)}
	e.mu.Unlock()
	if recorded.header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil // or the library guesses one
	}
	write(w, recorded)
}

// compareCall compares a call of the server with the recorded one: it is the client's request, with the run in its headers.
func (e *endpointReplay) compareCall(run *endpointRun, call *exchange, r *http.Request, body string) []mismatch {
	e.mu.Lock()
	defer e.mu.Unlock()
	cmp := &comparer{where: fmt.Sprintf("call %d", call.number)}
	if want := call.request.Method + " " + e.personal(call.request.Path); want != r.Method+" "+r.URL.RequestURI() {
		cmp.add("request line", rawText(want), rawText(r.Method+" "+r.URL.RequestURI()))
	}
	want, got := http.Header{}, r.Header.Clone()
	for _, pair := range call.request.Headers {
		want.Set(pair[0], e.personal(pair[1]))
	}
	got.Set("Host", r.Host)
	if r.ContentLength > 0 || r.Header.Get("Content-Length") != "" {
		got.Set("Content-Length", fmt.Sprint(r.ContentLength))
	}
	e.compareJob(cmp, run, call, want, got)
	names := map[string]bool{}
	for _, header := range []http.Header{want, got} {
		for name := range header {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if left, right := strings.Join(want[name], " | "), strings.Join(got[name], " | "); left != right {
			cmp.add("header "+name, rawText(left), rawText(right))
		}
	}
	cmp.texts("body", e.personal(call.request.whole()), body)
	return cmp.found
}

// compareJob checks that the job of a call is for the same as the recorded one, and that its request id follows from it.
func (e *endpointReplay) compareJob(cmp *comparer, run *endpointRun, call *exchange, want, got http.Header) {
	job, generation := got.Get("X-Inngest-Job-Id"), 0
	_, _ = fmt.Sscan(want.Get("X-Inngest-Generation-Id"), &generation)
	names := run.jobs(run.registered.id, run.event, run.id)
	if wanted := e.jobName(run, call); names[job] != wanted {
		cmp.add("job", rawText(wanted), rawText(names[job]))
	}
	want.Set("X-Inngest-Job-Id", job)
	if id := got.Get("X-Request-Id"); isRecentULID(id) && id[10:] == requestIDEntropy(job, generation) {
		want.Set("X-Request-Id", id)
	}
}

// jobName is what the job of a recorded call was for.
func (e *endpointReplay) jobName(run *endpointRun, call *exchange) string {
	names := run.jobs(run.was.id, e.rec.eventOf(run.recorded), run.recorded)
	return names[call.request.Headers.get("X-Inngest-Job-Id")]
}

// jobs are the names of the jobs of a run. The reference makes their ids of the event's, which is another one each time a request
// is repeated.
func (r *endpointRun) jobs(functionID, eventID, runID string) map[string]string {
	names := map[string]string{}
	for id, name := range jobNames(functionID, eventID, runID, r.ops) {
		names[id] = name + ", by event"
	}
	for id, name := range jobNames(functionID, runID, runID, r.ops) {
		names[id] = name + ", by run"
	}
	return names
}

// whole is the body of a request, whichever way it was recorded.
func (m message) whole() string {
	if m.BodyBase64 == "" {
		return m.Body
	}
	body, err := base64.StdEncoding.DecodeString(m.BodyBase64)
	if err != nil {
		return "(no base64: " + m.BodyBase64 + ")"
	}
	return string(body)
}

// TestEndpointRecordings proves the formulas on the recorded traffic: ids of apps, functions, jobs and requests follow from what
// the app sent.
func TestEndpointRecordings(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts4"} {
		e := newEndpointReplay(t, load(t, "35-durable-endpoint."+lane))
		e.rec.all(func(one *exchange) {
			if !isStart(one.request) || one.response.Status != http.StatusOK {
				return
			}
			run, _, err := e.runOf(one)
			if err != nil || !strings.Contains(one.response.Body, `"fn_id":"`+run.was.id+`","app_id":"`+run.was.appID+`"`) {
				t.Errorf("%s: start %d: computed %+v, answered %s (%v)", lane, one.number, run.was, shorten(one.response.Body), err)
			}
		})
		calls := 0
		for _, run := range e.runs {
			for _, call := range run.calls {
				calls++
				header, generation := call.request.Headers, 0
				_, _ = fmt.Sscan(header.get("X-Inngest-Generation-Id"), &generation)
				if !strings.HasSuffix(e.jobName(run, call), ", by event") {
					t.Errorf("%s: call %d is for %q", lane, call.number, e.jobName(run, call))
				}
				if header.get("X-Request-Id")[10:] != requestIDEntropy(header.get("X-Inngest-Job-Id"), generation) {
					t.Errorf("%s: call %d has the request id %s", lane, call.number, header.get("X-Request-Id"))
				}
			}
		}
		if want := map[string]int{"go": 4, "ts4": 5}[lane]; calls != want {
			t.Errorf("%s: %d calls, want %d", lane, calls, want)
		}
	}
}

// TestEndpointReplayNoticesDifferences makes recorded calls, changes one thing at a time, and expects to be told.
func TestEndpointReplayNoticesDifferences(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, test := range map[string]struct {
		change func(*http.Request)
		body   string
		field  string
	}{
		"nothing":        {},
		"method":         {change: func(r *http.Request) { r.Method = http.MethodPut }, field: "request line"},
		"query":          {change: func(r *http.Request) { r.URL.RawQuery = "" }, field: "request line"},
		"body":           {body: "{}", field: "body"},
		"host":           {change: func(r *http.Request) { r.Host = "localhost" }, field: "header Host"},
		"run":            {change: header("X-Run-Id", "01M85B830QHBDQR047ME1C8D3K"), field: "header X-Run-Id"},
		"job":            {change: header("X-Inngest-Job-Id", "3siia7nkjh06i"), field: "job"},
		"request":        {change: header("X-Request-Id", "01HF7YAT000YKTD0RRPDWRPQDS"), field: "header X-Request-Id"},
		"generation":     {change: header("X-Inngest-Generation-Id", "2"), field: "header X-Inngest-Generation-Id"},
		"version":        {change: header("X-Inngest-Req-Version", "1"), field: "header X-Inngest-Req-Version"},
		"plan":           {change: header("X-Inngest-Force-Step-Plan", "true"), field: "header X-Inngest-Force-Step-Plan"},
		"type":           {change: header("Content-Type", "text/plain"), field: "header Content-Type"},
		"signature":      {change: header("X-Inngest-Signature", "t=1&s=2"), field: "header X-Inngest-Signature"},
		"no user agent":  {change: func(r *http.Request) { r.Header.Del("User-Agent") }, field: "header User-Agent"},
		"account header": {change: header("Account-Id", "x"), field: "header Account-Id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpointReplay(t, load(t, "35-durable-endpoint.ts4"))
			e.move("127.0.0.1:1")
			run := e.run("01M85B830QHBDQR047ME1C8D3K")
			run.event = e.rec.eventOf(run.recorded)
			request := e.repeat(t, run, run.calls[0])
			if test.change != nil {
				test.change(request)
			}
			found := e.compareCall(run, run.calls[0], request, test.body)
			if test.field == "" && len(found) > 0 || test.field != "" && !slices.ContainsFunc(found, func(one mismatch) bool { return one.field == test.field }) {
				t.Errorf("want a difference in %q, found %v", test.field, found)
			}
		})
	}
}

// repeat is a recorded call as the reference would make it now.
func (e *endpointReplay) repeat(t *testing.T, run *endpointRun, call *exchange) *http.Request {
	t.Helper()
	request, err := http.NewRequest(call.request.Method, "http://"+e.addr+call.request.Path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range call.request.Headers {
		request.Header.Set(pair[0], e.personal(pair[1]))
	}
	request.Header.Del("Host")
	wanted := e.jobName(run, call)
	for id, name := range run.jobs(run.registered.id, run.event, run.id) {
		if name == wanted {
			request.Header.Set("X-Inngest-Job-Id", id)
		}
	}
	request.Header.Set("X-Request-Id", run.id[:10]+requestIDEntropy(request.Header.Get("X-Inngest-Job-Id"), 1))
	return request
}
