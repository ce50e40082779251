package replay

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestReplayOfTheReference proves that the replay finds no difference between the reference and itself.
func TestReplayOfTheReference(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts3", "ts4", "ts4nc"} {
		for _, name := range conversations(lane) {
			if name == "31-large-state.go" {
				continue // the recorded run never ends
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, found := range newMirror(t, name).conv.replay(t.Context()) {
					t.Errorf("%s", found)
				}
			})
		}
	}
}

// TestReplayNoticesDifferences changes one thing of the reference's calls at a time, and expects to be told.
func TestReplayNoticesDifferences(t *testing.T) {
	t.Parallel()
	type change func(call int, r *http.Request, body string) string
	replace := func(from, to string) change {
		return func(_ int, _ *http.Request, body string) string { return strings.Replace(body, from, to, 1) }
	}
	header := func(name, value string) change {
		return func(_ int, r *http.Request, body string) string {
			r.Header.Del(name)
			if value != "" {
				r.Header.Set(name, value)
			}
			return body
		}
	}
	for name, test := range map[string]struct {
		change change
		field  string
	}{
		"attempt":           {replace(`"attempt":0`, `"attempt":1`), "body.ctx.attempt"},
		"maximum":           {replace(`"max_attempts":5`, `"max_attempts":4`), "body.ctx.max_attempts"},
		"missing member":    {replace(`"defers":{},`, ``), "body.defers"},
		"extra member":      {replace(`"defers":{},`, `"defers":{},"more":1,`), "body.more"},
		"memo":              {replace(`"n":1`, `"n":2`), "body.steps.*.data.n"},
		"number text":       {replace(`"n":1`, `"n":1.0`), "body.steps.*.data.n number text"},
		"user":              {replace(`"user":{}`, `"user":null`), "body.event.user"},
		"event id":          {replace(`"name":"ts3/s04`, `"name":"ts3/s05`), "body.event.name"},
		"version":           {replace(`"version":1`, `"version":2`), "body.version"},
		"use_api":           {replace(`"use_api":false,"version"`, `"use_api":true,"version"`), "body.use_api"},
		"qi_id":             {replace(`"qi_id":"`, `"qi_id":"0`), "body.ctx.qi_id"},
		"header missing":    {header("Account-Id", ""), "header Account-Id"},
		"header extra":      {header("X-More", "1"), "header X-More"},
		"header value":      {header("X-Inngest-Req-Version", "7"), "header X-Inngest-Req-Version"},
		"request id":        {header("X-Request-Id", "01HF7YAT000YKTD0RRPDWRPQDS"), "header X-Request-Id"},
		"span id":           {header("Traceparent", "00-7371caa4ab131caaa4b6aee388f39e92-ecd23ff3c1d28e3e-01"), "header Traceparent"},
		"trace state":       {header("Tracestate", "a=b"), "header Tracestate"},
		"generation header": {header("X-Inngest-Generation-Id", "2"), "header X-Inngest-Generation-Id"},
		"step id":           {header("X-Inngest-Step-Id", "other"), "header X-Inngest-Step-Id"},
		"run id":            {header("X-Run-Id", "01HF7YAT000YKTD0RRPDWRPQDS"), "header X-Run-Id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t, "04-three-steps.ts3")
			m.change = test.change
			found := m.conv.replay(t.Context())
			for _, one := range found {
				if glob(test.field, one.field) {
					return
				}
			}
			t.Errorf("no difference in %s was found, only %v", test.field, found)
		})
	}
}

// TestReplayNoticesOtherDifferences does the same with what only some recordings hold: events that start a run for another
// one, requests to providers, and answers to the app.
func TestReplayNoticesOtherDifferences(t *testing.T) {
	t.Parallel()
	replace := func(from, to string) func(int, *http.Request, string) string {
		return func(_ int, _ *http.Request, body string) string {
			return regexp.MustCompile(from).ReplaceAllString(body, to)
		}
	}
	header := func(_ int, r *http.Request, body string) string {
		r.Header.Set("Authorization", "Bearer other")
		return body
	}
	answers := func(path string, change func(*answer)) func(string, *answer) {
		return func(asked string, reply *answer) {
			if glob(path, asked) {
				change(reply)
			}
		}
	}
	for name, test := range map[string]struct {
		recording string
		change    func(int, *http.Request, string) string
		reply     func(string, *answer)
		where     string
		field     string
	}{
		"expiry":            {recording: "18-invoke-ok.ts3", change: replace(`"expire":18`, `"expire":19`), where: "call 3", field: "body.event.data._inngest.expire"},
		"no group":          {recording: "18-invoke-ok.ts3", change: replace(`"gid":"[^"]*"`, `"gid":"x"`), where: "call 3", field: "body.event.data._inngest.gid"},
		"invoked function":  {recording: "18-invoke-ok.ts3", change: replace(`"fn_id":"ts3-s18-child"`, `"fn_id":""`), where: "call 3", field: "body.event.data._inngest.fn_id"},
		"correlation":       {recording: "19-invoke-child-fails.ts3", change: replace(`"correlation_id":"`, `"correlation_id":"0`), where: "call 3", field: "body.event.data._inngest.correlation_id"},
		"invoking function": {recording: "20-invoke-missing-timeout.go", change: replace(`"source_fn_id":"`, `"source_fn_id":"0`), where: "call 5", field: "body.event.data._inngest.source_fn_id"},
		"invoked memo":      {recording: "18-invoke-ok.ts3", change: replace(`"twice":42`, `"twice":43`), where: "call 5", field: "body.steps.*.data.twice"},
		"deferred event":    {recording: "36-defer.ts4nc", change: replace(`"parent_run_id":"`, `"parent_run_id":"0`), where: "call 6", field: "body.event.data._inngest.parent_run_id"},
		"deferred state":    {recording: "36-defer.ts4nc", change: replace(`"abortable":false`, `"abortable":true`), where: "call 5", field: "body.defers.*.abortable"},
		"matched event":     {recording: "15-wait-event-matched.ts4", change: replace(`"txt":"é`, `"txt":"e`), where: "call 5", field: "body.steps.*.data.txt"},
		"signal memo":       {recording: "17-signal.go", change: replace(`"from":"client"`, `"from":""`), where: "call 5", field: "body.steps.*.data.data.from"},
		"timed out memo":    {recording: "16-wait-event-timeout.go", change: replace(`("steps":\{"[0-9a-f]*":)null`, `$1{}`), where: "call 3", field: "body.steps.*"},
		"checkpointed step": {recording: "28-checkpoint-buffered.go", change: replace(`\{"data":3\}`, `{"data":4}`), where: "call 5", field: "body.steps.*.data"},
		"provider body":     {recording: "25-ai-infer.ts4", change: replace(`"temperature":0.5\}`, `"temperature":0.6}`), where: "provider 3", field: "body.temperature"},
		"provider order":    {recording: "25-ai-infer.go", change: replace(`"content":"Say hi","role":"user"`, `"role":"user","content":"Say hi"`), where: "provider 3", field: "body text"},
		"provider header":   {recording: "25-ai-infer.go", change: header, where: "provider 3", field: "header Authorization"},
		"fetched text":      {recording: "26-step-fetch.go", change: replace(`^\{"a":1\}$`, `{"a":1} `), where: "provider 5", field: "body*"},
		"checkpoint answer": {recording: "27-checkpoint-default.ts4", reply: answers("/v1/checkpoint/*", func(reply *answer) { reply.status = 503 }), where: "call 2 nested 3", field: "status"},
		"checkpoint body":   {recording: "27-checkpoint-default.ts4", reply: answers("/v1/checkpoint/*", func(reply *answer) { reply.body = "{}" }), where: "call 2 nested 3", field: "body"},
		"batched event":     {recording: "22-batch.ts3", change: replace(`"i":2`, `"i":4`), where: "call 3", field: "body.events[1].data.i"},
		"batch cut short":   {recording: "22-batch.ts4nc", change: replace(`,\{"data":\{"i":2\}[^]]*\]`, `]`), where: "call 3", field: "body.events"},
		"first of a batch":  {recording: "22-batch.go", change: replace(`"event":\{"data":\{"i":1\}`, `"event":{"data":{"i":2}`), where: "call 3", field: "body.event.data.i"},
		"order of a batch":  {recording: "22-batch.ts3", change: otherOrder(4), where: "call 4", field: "body.events[1].data.i"},
		"signal answer":     {recording: "17-signal.ts3", reply: answers("/v1/signals", func(reply *answer) { reply.body = `{"data":{}}` }), where: "POST 3", field: "body.data.run_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t, test.recording)
			m.change, m.reply = test.change, test.reply
			found := m.conv.replay(t.Context())
			for _, one := range found {
				if one.where == test.where && glob(test.field, one.field) {
					return
				}
			}
			t.Errorf("no difference of %s in %s was found, only %v", test.where, test.field, found)
		})
	}
}
