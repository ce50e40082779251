package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/app/checkpoint"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// checkpoints answers to every request in the same way.
type checkpoints struct {
	err    error
	output checkpoint.Output
	// asked are the token and the limit of the last Await.
	asked *[]string
}

func (c checkpoints) Async(context.Context, []byte) error  { return c.err }
func (c checkpoints) Report(context.Context, []byte) error { return c.err }
func (c checkpoints) Start(context.Context, string, []byte) (checkpoint.Started, error) {
	return checkpoint.Started{}, c.err
}

func (c checkpoints) Await(_ context.Context, token string, limit time.Duration) (checkpoint.Output, error) {
	if c.asked != nil {
		*c.asked = []string{token, limit.String()}
	}
	return c.output, c.err
}

func TestCheckpoint_SaysWhyNothingIsSaved(t *testing.T) {
	t.Parallel()
	id := ulid.MustParse(unknownID)
	for name, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"invalid":          {&checkpoint.InvalidError{Reason: "no"}, 400, `{"error":"no","data":null,"status":400}`},
		"invalid of a run": {&checkpoint.InvalidError{Run: id, Reason: "no"}, 400, `{"error":"no","data":{"run_id":"` + unknownID + `"},"status":400}`},
		"too large":        {&checkpoint.InvalidError{Run: id, Reason: "no", TooLarge: true}, 413, `{"error":"no","data":{"run_id":"` + unknownID + `"},"status":413}`},
		"there already":    {fmt.Errorf("run: %w", checkpoint.ErrRunExists), 409, `{"error":"Run already exists","data":null,"status":409}`},
		"no storage":       {errBroken, 503, `{"error":"the run store is unavailable","data":null,"status":503}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Checkpoints = checkpoints{err: c.err} })
			for _, path := range []string{"", "/x/steps", "/x/async"} {
				for _, prefix := range []string{"/v1/checkpoint", "/v1/http/runs"} {
					if w := f.send(http.MethodPost, prefix+path, `{}`); w.Code != c.status || w.Body.String() != c.want+"\n" {
						t.Errorf("%s%s: status %d, body %s", prefix, path, w.Code, w.Body)
					}
				}
			}
		})
	}
}

func TestCheckpoint_BoundsBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Checkpoints = checkpoints{} })
	large := strings.Repeat(" ", 36<<20+1)
	for _, path := range []string{"/v1/checkpoint", "/v1/checkpoint/x/steps"} {
		if w := f.send(http.MethodPost, path, large); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(strings.ToLower(w.Body.String()), "invalid request body") {
			t.Errorf("%s: status %d, body %s", path, w.Code, w.Body)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	const text, plain = "application/json", "text/plain; charset=utf-8"
	for name, c := range map[string]struct {
		output  checkpoint.Output
		err     error
		status  int
		headers map[string]string
		want    string
	}{
		"answer": {
			output: checkpoint.Output{Status: run.Completed, Response: &sdk.HTTPResult{Status: 201, Headers: map[string]string{
				"content-type": "text/html", "x-mine": "1", "Set-Cookie": "a=b", "Content-Length": "99", "Strict-Transport-Security": "max-age=1",
				"Content-Security-Policy": "none",
			}, Body: "<b>"}},
			status: 201, headers: map[string]string{
				"Content-Type": "text/html", "X-Mine": "1", "Set-Cookie": "", "Content-Length": "", "Strict-Transport-Security": "",
				"Content-Security-Policy": "sandbox allow-forms allow-popups allow-scripts",
			}, want: "<b>",
		},
		"answer that is an error": {
			output: checkpoint.Output{Status: run.Failed, Response: &sdk.HTTPResult{Status: 418, Body: "no"}}, status: 418, want: "no",
		},
		"no content": {output: checkpoint.Output{Status: run.Completed, Response: &sdk.HTTPResult{Status: 204}}, status: 204},
		"output":     {output: checkpoint.Output{Status: run.Completed, Raw: []byte(`{"a":1}`)}, status: 200, headers: map[string]string{"Content-Type": text}, want: `{"a":1}`},
		"failure":    {output: checkpoint.Output{Status: run.Failed, Raw: []byte(`{"message":"no"}`)}, status: 500, headers: map[string]string{"Content-Type": text}, want: `{"message":"no"}`},
		"cancelled":  {output: checkpoint.Output{Status: run.Cancelled, Raw: []byte(`null`)}, status: 500, want: `null`},
		"running": {
			output: checkpoint.Output{Status: run.Running}, status: 200, headers: map[string]string{"Content-Type": text},
			want: `{"status":"running","message":"run did not end within 5 minutes"}` + "\n",
		},
		"bad token": {
			err: fmt.Errorf("token: %w", ports.ErrBadToken), status: 401, headers: map[string]string{"Content-Type": plain},
			want: `{"error":"Unable to find run with auth token","data":null,"status":401}` + "\n",
		},
		"unknown run": {err: ports.ErrNotFound, status: 404, want: `{"error":"Run not found","data":null,"status":404}` + "\n"},
		"no storage":  {err: errors.Join(errBroken), status: 503, want: `{"error":"Unable to load the output of the run","data":null,"status":503}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			f := newFixture(t, startConfig, func(d *httpapi.Deps) { d.Checkpoints = checkpoints{err: c.err, output: c.output, asked: &asked} })
			w := f.send(http.MethodGet, "/v1/http/runs/any/output?token=t", "")
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("status %d, body %q, want %d, %q", w.Code, w.Body, c.status, c.want)
			}
			for _, header := range slices.Sorted(maps.Keys(c.headers)) {
				if got := w.Result().Header.Get(header); got != c.headers[header] {
					t.Errorf("header %s: %q, want %q", header, got, c.headers[header])
				}
			}
			if !slices.Equal(asked, []string{"t", "5m0s"}) {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}

func TestOutput_AnswersNobody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, devConfig, func(d *httpapi.Deps) { d.Checkpoints = checkpoints{err: context.Canceled} })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := f.sendContext(ctx, http.MethodGet, "/v1/checkpoint/x/output", "")
	if w.Body.Len() > 0 || f.log.Len() > 0 {
		t.Errorf("answered %s, logged %s", w.Body, f.log)
	}
}
