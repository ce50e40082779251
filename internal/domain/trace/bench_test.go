package trace

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

var (
	benchAt   = time.Date(2026, 11, 24, 12, 0, 0, 123456789, time.UTC)
	benchSpec = run.Spec{
		ID: ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7T"), AppID: uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38"),
		FunctionID: uuid.MustParse("2b8a7a4a-6d0a-5e0c-8c25-0b6f0a4c2f11"), FunctionVersion: 1, Slug: "acme-hello", MaxAttempts: 4, Key: "k", Now: benchAt,
		Events: []event.Tracked{{InternalID: ulid.MustParse("01J8ZKZ5H4X0V6QK3N8N3W9R7S"), Event: event.Event{
			ID: "e-1", Name: "shop/order.placed", Data: json.RawMessage(`{"text":"plain","user":"u1","n":123456}`), TS: 1795475909447,
		}}},
	}
	benchHeader = map[string]string{
		"Content-Length": "228", "Content-Type": "application/json", "Date": "Mon, 23 Nov 2026 23:18:29 GMT", "Server": "Python", "X-Inngest-Req-Version": "2",
		"X-Inngest-Sdk": "inngest-js:v4.18.1",
	}
)

func BenchmarkScheduled(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Scheduled(Beginning{Spec: benchSpec, Due: benchAt})
	}
}

// benchReply is an answer to the first call of a run, and what became of it.
func benchReply(b *testing.B, reply sdk.Reply) (run.State, run.Input, run.Transition) {
	b.Helper()
	s, jobs := run.New(benchSpec)
	in := run.Replied{Job: jobs[0], Reply: reply, CalledAt: benchAt, Now: benchAt.Add(time.Millisecond), Limits: run.DefaultLimits, Exchange: run.Exchange{
		Request: "01M85B8B3W4028P67RPDJ65BJY", Status: reply.Status, Header: benchHeader, Size: 228, Timing: sdk.Timing{Total: 12 * time.Millisecond},
	}}
	t, err := run.Advance(s, in)
	if err != nil {
		b.Fatal(err)
	}
	return s, in, t
}

func BenchmarkAdvanced(b *testing.B) {
	for name, reply := range map[string]sdk.Reply{
		"end": {Status: 200, FromSDK: true, Output: json.RawMessage(`{"ok":true}`)},
		"step": {Status: 206, FromSDK: true, RequestVersion: 2, Ops: []sdk.Op{{
			Op: sdk.OpStepRun, ID: "98bf98df193bcce7c33e6bc50927cf2ac21206cb", Name: "first", DisplayName: "first", Opts: json.RawMessage(`{"type":"step.run"}`),
			Data: json.RawMessage(`{"n":1,"text":"hello"}`), UserlandID: "first",
		}}},
	} {
		b.Run(name, func(b *testing.B) {
			s, in, t := benchReply(b, reply)
			b.ReportAllocs()
			for b.Loop() {
				Advanced(s, in, t, nil)
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	rows := Scheduled(Beginning{Spec: benchSpec, Due: benchAt})
	s, in, t := benchReply(b, sdk.Reply{Status: 200, FromSDK: true, Output: json.RawMessage(`{"ok":true}`)})
	rows = append(rows, Advanced(s, in, t, nil)...)
	b.ReportAllocs()
	for b.Loop() {
		Merge(slices.Clone(rows))
	}
}
