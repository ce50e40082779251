package sdk_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// exchange is a call and its answer, recorded between a reference server and an app.
type exchange struct {
	Name            string
	Path            string
	RequestHeaders  [][2]string
	Request         string
	Status          int
	ResponseHeaders [][2]string
	Response        string
}

func exchanges(t testing.TB) []exchange {
	t.Helper()
	file, err := os.ReadFile("testdata/exchanges.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	for line := range bytes.Lines(file) {
		var recorded exchange
		if err := json.Unmarshal(line, &recorded); err != nil {
			t.Fatal(err)
		}
		list = append(list, recorded)
	}
	return list
}

func headerMap(list [][2]string) map[string]string {
	headers := map[string]string{}
	for _, header := range list {
		headers[http.CanonicalHeaderKey(header[0])] = header[1]
	}
	return headers
}

// recordedCall is a recorded call's body, taken apart.
type recordedCall struct {
	Ctx struct {
		Attempt     int    `json:"attempt"`
		Disable     bool   `json:"disable_immediate_execution"`
		FnID        string `json:"fn_id"`
		Generation  int    `json:"generation_id"`
		JobID       string `json:"job_id"`
		MaxAttempts int    `json:"max_attempts"`
		QueueItemID string `json:"qi_id"`
		RequestID   string `json:"request_id"`
		RunID       string `json:"run_id"`
		Stack       struct {
			Current int      `json:"current"`
			Stack   []string `json:"stack"`
		} `json:"stack"`
		StepID string `json:"step_id"`
	} `json:"ctx"`
	Event   json.RawMessage            `json:"event"`
	Events  []json.RawMessage          `json:"events"`
	Steps   map[string]json.RawMessage `json:"steps"`
	Version int                        `json:"version"`
}

func (r recordedCall) input() sdk.CallInput {
	return sdk.CallInput{
		RunID: ulid.MustParse(r.Ctx.RunID), FunctionID: uuid.MustParse(r.Ctx.FnID), StepID: r.Ctx.StepID,
		JobID: r.Ctx.JobID, RequestID: r.Ctx.RequestID, GenerationID: r.Ctx.Generation,
		Attempt: r.Ctx.Attempt, MaxAttempts: r.Ctx.MaxAttempts, DisableImmediateExecution: r.Ctx.Disable, RequestVersion: r.Version,
		Stack: r.Ctx.Stack.Stack, Current: r.Ctx.Stack.Current, Steps: r.Steps, Event: r.Event, Events: r.Events,
	}
}

func TestRecorded_CallsAreWrittenTheSame(t *testing.T) {
	t.Parallel()
	for _, recorded := range exchanges(t) {
		t.Run(recorded.Name, func(t *testing.T) {
			t.Parallel()
			var call recordedCall
			if err := json.Unmarshal([]byte(recorded.Request), &call); err != nil {
				t.Fatal(err)
			}
			got, err := sdk.AppendBody(nil, call.input())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(recorded.Request, string(got)); diff != "" {
				t.Errorf("body (-recorded +got):\n%s", diff)
			}
			if id := sdk.QueueItemID(call.Ctx.JobID); id != call.Ctx.QueueItemID {
				t.Errorf("QueueItemID = %q, recorded %q", id, call.Ctx.QueueItemID)
			}
			checkHeaders(t, recorded, call)
			checkURL(t, recorded)
		})
	}
}

// checkHeaders takes the trace, which is random, from the recording; the rest is computed.
func checkHeaders(t *testing.T, recorded exchange, call recordedCall) {
	t.Helper()
	want := headerMap(recorded.RequestHeaders)
	for _, owned := range []string{"Host", "Content-Length", "Accept-Encoding"} {
		delete(want, owned)
	}
	state := want["Tracestate"]
	member, _, _ := strings.Cut(state, ",")
	ref, err := url.QueryUnescape(strings.TrimPrefix(member, "inngest@traceref="))
	if err != nil {
		t.Fatal(err)
	}
	var traceRef struct{ TP string }
	if err := json.Unmarshal([]byte(ref), &traceRef); err != nil {
		t.Fatal(err)
	}
	got := sdk.Headers(sdk.HeaderInput{
		RunID: ulid.MustParse(call.Ctx.RunID), FunctionID: uuid.MustParse(call.Ctx.FnID),
		AppID:  uuid.MustParse(state[len(state)-36:]),
		Target: want["X-Inngest-Step-Id"], JobID: call.Ctx.JobID, RequestID: call.Ctx.RequestID, GenerationID: call.Ctx.Generation,
		Attempt: call.Ctx.Attempt, RequestVersion: call.Version,
		TraceID: strings.Split(want["Traceparent"], "-")[1], TraceRef: traceRef.TP,
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-recorded +got):\n%s", diff)
	}
}

func checkURL(t *testing.T, recorded exchange) {
	t.Helper()
	want := "http://localhost:3000" + recorded.Path
	parsed, err := url.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	target := parsed.Query().Get("stepId")
	for _, registered := range []string{want, strings.Replace(want, "stepId="+target, "stepId=step", 1), strings.Replace(want, "&stepId="+target, "", 1)} {
		got, err := sdk.CallURL(registered, target)
		if err != nil || got != want {
			t.Errorf("CallURL(%s) = %s, %v; recorded %s", registered, got, err, want)
		}
	}
}

// TestRecorded_AnswersBecomeTheRecordedMemos follows each run: what an answer's ops leave behind is what the next call
// carried.
func TestRecorded_AnswersBecomeTheRecordedMemos(t *testing.T) {
	t.Parallel()
	memos := map[string]json.RawMessage{}
	compared := 0
	for _, recorded := range exchanges(t) {
		var call recordedCall
		if err := json.Unmarshal([]byte(recorded.Request), &call); err != nil {
			t.Fatal(err)
		}
		for id, memo := range call.Steps {
			made, ok := memos[call.Ctx.RunID+id]
			if !ok {
				continue
			}
			compared++
			if diff := cmp.Diff(canonical(t, memo), canonical(t, made)); diff != "" {
				t.Errorf("%s: memo of %s (-recorded +got):\n%s", recorded.Name, id, diff)
			}
		}
		reply := sdk.Interpret(response(recorded), time.Now())
		for _, op := range reply.Ops {
			switch {
			case op.Op == sdk.OpStepRun:
				memos[call.Ctx.RunID+op.ID] = sdk.RunMemo(op.Data)
			case op.Op == sdk.OpStepFailed, op.Op == sdk.OpStepError && op.Error.NoRetry:
				memos[call.Ctx.RunID+op.ID] = sdk.ErrorMemo(*op.Error)
			}
		}
	}
	if compared < 50 {
		t.Errorf("compared only %d memos", compared)
	}
}

func TestRecorded_AnswersOfAppsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, recorded := range exchanges(t) {
		reply := sdk.Interpret(response(recorded), time.Now())
		if !reply.FromSDK || reply.RequestVersion == 0 {
			t.Errorf("%s: FromSDK %v, RequestVersion %d", recorded.Name, reply.FromSDK, reply.RequestVersion)
		}
		failed := reply.Status >= 400
		if failed != (reply.Failure != nil) || (reply.Status == 206) != (reply.Ops != nil) {
			t.Errorf("%s: status %d read as %+v", recorded.Name, reply.Status, reply)
		}
	}
}

func response(recorded exchange) sdk.Response {
	return sdk.Response{Status: recorded.Status, Header: headerMap(recorded.ResponseHeaders), Body: []byte(recorded.Response)}
}

func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	text, err := sdk.CanonicalBody(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseQueueItemID(t *testing.T) {
	t.Parallel()
	if id, err := sdk.ParseQueueItemID("M3c1ajB2NWcwazN4ZDo6ZGVmYXVsdA=="); err != nil || id != "3w5j0v5g0k3xd" {
		t.Errorf("got %q, %v", id, err)
	}
	for name, text := range map[string]string{
		"no base64":   "%",
		"no shard":    base64.StdEncoding.EncodeToString([]byte("3w5j0v5g0k3xd")),
		"no job":      base64.StdEncoding.EncodeToString([]byte("::default")),
		"other shard": base64.StdEncoding.EncodeToString([]byte("3w5j0v5g0k3xd::special")),
		"empty":       "",
	} {
		if id, err := sdk.ParseQueueItemID(text); err == nil {
			t.Errorf("%s: read as %q", name, id)
		}
	}
}
