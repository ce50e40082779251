package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// call plays a call of the server.
func call(a *app, body string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	a.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/api/inngest", strings.NewReader(body)))
	return answer
}

func TestApp_AnswersWithTheNextStepUntilAllAreKnown(t *testing.T) {
	t.Parallel()
	a := newApp(profile{count: 1, steps: 1})
	first := call(a, `{"event":{"data":{"i":0}},"steps":{},"ctx":{"run_id":"A"}}`)
	const op = `[{"data":{"step":0},"displayName":"step 0","id":"0000000000000000000000000000000000000001","op":"StepRun"}]`
	if first.Code != http.StatusPartialContent || strings.TrimSpace(first.Body.String()) != op {
		t.Errorf("first answer %d %s, want 206 %s", first.Code, first.Body, op)
	}
	last := call(a, `{"event":{"data":{"i":0}},"steps":{"x":{}},"ctx":{"run_id":"A"}}`)
	if last.Code != http.StatusOK || last.Body.String() != `{"ok":true}` {
		t.Errorf("last answer %d %s, want the result", last.Code, last.Body)
	}
	res := result{profile: a.profile, Took: time.Second}
	res.sum(a, sent{took: time.Second})
	if res.incorrect() || res.Finished != 1 || res.ExtraCalls != 0 || res.CallsPerSecond != 2 {
		t.Errorf("result %+v, want one correct run of two calls", res)
	}
}

func TestApp_SleepsUntilTheInstantOfTheProfile(t *testing.T) {
	t.Parallel()
	a := newApp(profile{count: 1, steps: 1, sleeps: true})
	a.wakeAt = time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC)
	answer := call(a, `{"event":{"data":{"i":0}},"steps":{},"ctx":{"run_id":"A"}}`)
	if body := answer.Body.String(); !strings.Contains(body, `"op":"Sleep"`) || !strings.Contains(body, `"name":"2030-01-02T03:04:05.006Z"`) {
		t.Errorf("answer %s, want a sleep until the instant", body)
	}
}

func TestResult_SeesWhatAServerDidWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                   string
		calls                  []string
		missing, twice, forgot int
	}{
		{"nothing came", nil, 1, 0, 0},
		{"the run did not end", []string{`{"steps":{},"ctx":{"run_id":"A"}}`}, 1, 0, 0},
		{"the event started two runs", []string{`{"steps":{"x":1},"ctx":{"run_id":"A"}}`, `{"steps":{"x":1},"ctx":{"run_id":"B"}}`}, 0, 1, 0},
		{"a step was forgotten", []string{`{"steps":{"x":1},"ctx":{"run_id":"A"}}`, `{"steps":{},"ctx":{"run_id":"A"}}`}, 0, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(profile{count: 1, steps: 1})
			for _, body := range test.calls {
				call(a, body)
			}
			res := result{profile: a.profile}
			res.sum(a, sent{})
			if !res.incorrect() || res.Missing != test.missing || res.RanTwice != test.twice || res.ForgotStep != test.forgot {
				t.Errorf("missing %d, twice %d, forgot %d", res.Missing, res.RanTwice, res.ForgotStep)
			}
		})
	}
}

func TestParseUsage_SurvivesANameWithBlanks(t *testing.T) {
	t.Parallel()
	stat := "42 (my (odd) name) S 1 1 1 0 -1 4194560 100 0 0 0 150 50 0 0 20 0"
	got := parseUsage(stat, "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t  1024 kB\n")
	if want := (usage{cpu: 2 * time.Second, rss: 1 << 20, peak: 2 << 20}); got != want {
		t.Errorf("parseUsage = %+v, want %+v", got, want)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{5, 1, 4, 2, 3}
	if p50, p99, none := quantile(values, .5), quantile(values, .99), quantile(nil, .5); p50 != 3 || p99 != 4 || none != 0 {
		t.Errorf("quantiles %d, %d, %d, want 3, 4, 0", p50, p99, none)
	}
}
