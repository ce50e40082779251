package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// parallelScenarios run steps side by side: which of them are finished when a call is made is a matter of timing.
var parallelScenarios = []string{"11", "12", "13", "14", "27"}

var (
	traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-01$`)
	tracestate  = regexp.MustCompile(`^inngest@traceref=%7B%22tp%22%3A%2200-[0-9a-f]{32}-[0-9a-f]{16}-01%22%2C%22ts%22%3A%22%22%7D,` +
		`inngest@fn=([0-9a-f-]{36}),inngest@app=([0-9a-f-]{36})$`)
)

// compareCall compares a call of the server with the recorded one.
func (f *functionRun) compareCall(call *recordedCall, r *http.Request, body string) []mismatch {
	f.mu.Lock()
	defer f.mu.Unlock()
	cmp := &comparer{where: f.where(call), excuse: f.excuse}
	if want := call.request.Method + " " + f.rw.text(call.request.Path); want != r.Method+" "+r.URL.RequestURI() {
		cmp.add("request line", rawText(want), rawText(r.Method+" "+r.URL.RequestURI()))
	}
	ctx, _ := contextOf(body)
	f.compareHeaders(cmp, call, r, ctx)
	f.compareBody(cmp, call, ctx, body)
	return cmp.found
}

// compareHeaders computes what the recorded headers must be for the server's run, and compares all of them.
func (f *functionRun) compareHeaders(cmp *comparer, call *recordedCall, r *http.Request, ctx callContext) {
	want, got := http.Header{}, r.Header.Clone()
	for _, pair := range call.request.Headers {
		want.Set(pair[0], pair[1])
	}
	want.Set("Host", "localhost:"+portOf(f.app.addr))
	got.Set("Host", r.Host)
	want.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	got.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	if r.ContentLength < 0 {
		cmp.add("header Content-Length", rawText("(set)"), rawText("(absent)"))
	}
	want.Set("X-Run-Id", f.runID)
	want.Set("X-Inngest-Job-Id", ctx.JobID)
	want.Set("X-Request-Id", got.Get("X-Request-Id"))
	if !f.requestIDFits(got.Get("X-Request-Id"), ctx) {
		cmp.add("header X-Request-Id", rawText("(time)"+requestIDEntropy(ctx.JobID, ctx.Generation)), rawText(got.Get("X-Request-Id")))
	}
	f.compareTrace(want, got, ctx)
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
}

func (f *functionRun) requestIDFits(id string, ctx callContext) bool {
	return isRecentULID(id) && id[10:] == requestIDEntropy(ctx.JobID, ctx.Generation)
}

// compareTrace checks the trace headers by their structure: ids of the run's trace are random, the call's span is derived.
func (f *functionRun) compareTrace(want, got http.Header, ctx callContext) {
	function := f.app.function(f.slug)
	if parts := traceparent.FindStringSubmatch(got.Get("Traceparent")); parts == nil || parts[2] != spanID(ctx.JobID, ctx.Attempt) ||
		(f.trace != "" && parts[1] != f.trace) {
		want.Set("Traceparent", fmt.Sprintf("00-%s-%s-01", f.trace, spanID(ctx.JobID, ctx.Attempt)))
	} else {
		f.trace = parts[1]
		want.Set("Traceparent", parts[0])
	}
	if parts := tracestate.FindStringSubmatch(got.Get("Tracestate")); parts != nil && parts[1] == function.id && parts[2] == function.appID {
		want.Set("Tracestate", parts[0])
	}
}

// compareBody computes what the recorded body must be for the server's run, and compares it member by member.
func (f *functionRun) compareBody(cmp *comparer, call *recordedCall, ctx callContext, body string) {
	recorded := f.personal(f.rw.text(call.request.Body))
	got := completeMembers(body)
	want := completeMembers(recorded)
	if cut := call.request.BodyTruncated; cut != nil {
		length := cut.Bytes - len(call.ctx.JobID) - len(call.ctx.QueueItem) + len(ctx.JobID) + len(ctx.QueueItem)
		if length != len(body) {
			cmp.add("body length", length, len(body))
		}
		maps.DeleteFunc(got, func(name string, _ json.RawMessage) bool { return want[name] == nil })
	}
	wantTree, gotTree := tree(want), tree(got)
	if wantCtx, ok := wantTree["ctx"].(map[string]any); ok {
		wantCtx["job_id"] = ctx.JobID
		wantCtx["qi_id"] = queueItemID(ctx.JobID)
		wantCtx["run_id"] = f.runID
		wantCtx["fn_id"] = f.app.function(f.slug).id
		if f.requestIDFits(ctx.RequestID, ctx) {
			wantCtx["request_id"] = ctx.RequestID
		}
		if slices.Contains(parallelScenarios, f.rec.scenario()) {
			f.allowTiming(cmp, call, ctx, wantCtx, wantTree, gotTree)
		}
	}
	if f.batch != nil {
		f.batch.arrange(wantTree)
	}
	cmp.values("body", nil, wantTree, gotTree)
}

// allowTiming puts the steps that happen to be finished in the place of those that happened to be in the recording. It
// asks of them that each carries its recorded memo and that the edge's step is the current one.
func (f *functionRun) allowTiming(cmp *comparer, call *recordedCall, ctx callContext, wantCtx, wantTree, gotTree map[string]any) {
	if wantStack, ok := wantCtx["stack"].(map[string]any); ok {
		wantStack["current"] = json.Number(strconv.Itoa(f.current(call, ctx)))
	}
	if slices.Equal(call.ctx.Stack.Stack, ctx.Stack.Stack) {
		return
	}
	steps, memos, stack := map[string]any{}, tree(f.memos), []any{}
	for _, op := range ctx.Stack.Stack {
		stack = append(stack, op)
		steps[op] = memos[op]
		if _, known := memos[op]; !known { // finished before the recorded run saw it
			gotSteps, _ := gotTree["steps"].(map[string]any)
			steps[op] = gotSteps[op]
		}
	}
	wantCtx["stack"] = map[string]any{"current": json.Number(strconv.Itoa(f.current(call, ctx))), "stack": stack}
	wantTree["steps"] = steps
	kind, op, _ := strings.Cut(f.jobName(ctx.JobID), " ")
	if slices.Contains([]string{"after", "failed"}, kind) && !slices.Contains(ctx.Stack.Stack, op) {
		cmp.add("body.ctx.stack.stack", rawText("with "+op), ctx.Stack.Stack)
	}
}

// current is what ctx.stack.current must be: the place of the edge's op in the server's stack.
func (f *functionRun) current(call *recordedCall, ctx callContext) int {
	kind, op, _ := strings.Cut(f.jobName(ctx.JobID), " ")
	switch {
	case kind == "after" || kind == "failed":
		return 1 + slices.Index(ctx.Stack.Stack, op)
	case kind == "coalesced" && ctx.Stack.Current > 0 && ctx.Stack.Current <= len(ctx.Stack.Stack):
		return ctx.Stack.Current // whichever of the group was the last
	case call.ctx.Stack.Current > 0 && ctx.Stack.Current > 0 && ctx.Stack.Current <= len(ctx.Stack.Stack):
		return ctx.Stack.Current // whichever step the answer that planned this one was given after
	case call.ctx.Stack.Current > 0:
		return 1 + slices.Index(ctx.Stack.Stack, call.ctx.Stack.Stack[call.ctx.Stack.Current-1])
	}
	return 0
}

// excuse accepts the times that the server itself gives: of events that were sent without one, and of its own events.
func (f *functionRun) excuse(field string, parent map[string]any, want, got any) bool {
	if fitsInvocation(f.peer, field, parent, want, got) || fitsProviderDate(field, want, got) || fitsFetched(field, parent, want, got) {
		return true
	}
	if !strings.HasSuffix(field, ".ts") || parent == nil {
		return false
	}
	name, _ := parent["name"].(string)
	return isRecent(got) && (f.noTS[name] || strings.HasPrefix(name, "inngest/"))
}

// fitsFetched accepts the time at which the server answered.
func fitsFetched(field string, _ map[string]any, want, got any) bool {
	return field == "body.metadata.fetched_at" && isTime(want) && isTime(got)
}

// tree decodes raw members.
func tree(members map[string]json.RawMessage) map[string]any {
	decoded := map[string]any{}
	for name, raw := range members {
		value, err := decode(string(raw))
		if err != nil {
			value = string(raw)
		}
		decoded[name] = value
	}
	return decoded
}

// playNested sends what the app asked the server while it worked on a call, and compares the answer.
func (f *functionRun) playNested(ctx context.Context, call *recordedCall, inner *exchange) []mismatch {
	f.mu.Lock()
	target := f.personal(f.rw.text(inner.request.Path))
	body := f.ofCall(call, f.personal(f.rw.text(whole(inner.request))))
	want := inner.response
	want.Body = f.personal(f.rw.text(want.Body))
	f.mu.Unlock()
	cmp := &comparer{where: f.where(call) + " nested " + strconv.Itoa(inner.number), excuse: f.excuse}
	cmp.exchange(ctx, f.app.srv, f.rw, inner.request, target, body, want)
	return cmp.found
}

// exchange sends a recorded request and compares the answer with the recorded one.
func (c *comparer) exchange(ctx context.Context, srv *server, rw *rewriter, recorded message, target, body string, want message) {
	headers := headerList{}
	for _, pair := range recorded.Headers {
		headers = append(headers, [2]string{pair[0], rw.header(pair[0], pair[1])})
	}
	var sent *string
	if recorded.Method != http.MethodGet && recorded.Method != http.MethodDelete {
		sent = &body
	}
	got, err := ask(ctx, srv.addr, recorded.Method, target, headers, sent)
	if err != nil {
		c.add("answer", rawText(strconv.Itoa(want.Status)), rawText(err.Error()))
		return
	}
	if got.status != want.Status {
		c.add("status", want.Status, got.status)
	}
	c.headers(want.Headers, got.header)
	if want.BodyTruncated != nil {
		if len(got.body) != want.BodyTruncated.Bytes {
			c.add("body length", want.BodyTruncated.Bytes, len(got.body))
		}
		return
	}
	c.texts("body", want.Body, got.body)
}
