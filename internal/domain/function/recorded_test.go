package function_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// registerCase is a request to /fn/register of a recorded server, its answer and the app's error right after it.
type registerCase struct {
	Name, Body, Answer, Error string
	Status                    int
}

// registration is a recorded request with the configurations that the server stored for it, by slug.
type registration struct {
	Name, Body string
	Configs    map[string]string
}

func load[T any](t testing.TB, file string) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var records []T
	if err := json.Unmarshal(raw, &records); err != nil {
		t.Fatal(err)
	}
	return records
}

// recordedChecks knows the expressions of the recordings that are refused, with the words that go with them.
func recordedChecks(cases []registerCase) function.Checks {
	after := func(marker string) string {
		for _, c := range cases {
			if _, text, found := strings.Cut(c.Error, marker); found {
				return text
			}
		}
		return ""
	}
	refused := map[string]string{
		"event.data.x ==":         after("* key is invalid: "),
		"size(event.data.x) == 1": "validation failed:" + after("* Cancellation expression is invalid: validation failed:"),
		"nope.data.x == 1":        "error compiling expression: ERROR: <input>:1:1: undeclared" + after("1:1: undeclared"),
	}
	check := func(text string) error {
		if reason := refused[text]; reason != "" {
			return errors.New(reason)
		}
		return nil
	}
	return function.Checks{Expression: check, Condition: check}
}

var acceptAll = function.Checks{
	Expression: func(string) error { return nil },
	Condition:  func(string) error { return nil },
}

var syncID = regexp.MustCompile(`"sync_id":"[^"]+"`)

// answer is what the edge does with a request.
func answer(c *catalog, body string, checks function.Checks) (int, string, string) {
	request, err := function.Decode([]byte(body))
	if err != nil {
		return 400, string(function.ErrorBody(err.Error())), ""
	}
	_, outcome := c.sync(request, checks)
	appError := c.apps[outcome.AppID].Error
	if outcome.Refused != nil {
		return outcome.Refused.Status, string(outcome.Refused.Body()), appError
	}
	return 200, string(function.AcceptedBody(outcome.AppID, uuid.Nil, outcome.Modified)), appError
}

func TestSync_AnswersAsRecorded(t *testing.T) {
	t.Parallel()
	cases := load[registerCase](t, "register_cases.json")
	if len(cases) < 90 {
		t.Fatalf("only %d cases", len(cases))
	}
	checks, apps := recordedChecks(cases), newCatalog()
	for _, c := range cases {
		status, body, appError := answer(apps, c.Body, checks)
		if c.Name == "duplicate function ids" {
			// Recorded is a 500 and a half-made sync; here the later function wins.
			c.Status, c.Answer = 200, `{"ok":true,"modified":true,"sync_id":"","app_id":"`+ids.AppID("hc-app-11").String()+`"}`
		}
		got := registerCase{Name: c.Name, Body: c.Body, Status: status, Error: appError, Answer: mask(body)}
		c.Answer = mask(c.Answer)
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s: -recorded +got\n%s", c.Name, diff)
		}
	}
}

func mask(body string) string { return syncID.ReplaceAllString(body, `"sync_id":""`) }

func TestPlan_StoresTheRecordedBytes(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, recorded := range load[registration](t, "registrations.json") {
		t.Run(recorded.Name, func(t *testing.T) {
			request, err := function.Decode([]byte(recorded.Body))
			if err != nil {
				t.Fatal(err)
			}
			plan, outcome := function.Plan(function.AppState{}, request, acceptAll)
			if outcome.Refused != nil {
				t.Fatalf("refused: %+v, error %q", outcome.Refused, plan.App.Error)
			}
			for _, f := range plan.Put {
				config, ok := recorded.Configs[f.Slug]
				if !ok {
					continue
				}
				before, err := function.ParseConfig([]byte(config))
				if err != nil {
					t.Fatal(err)
				}
				f.Version = before.Version // recorded after several syncs
				if diff := cmp.Diff(config, string(function.Encode(f))); diff != "" {
					t.Errorf("%s: -recorded +got\n%s", f.Slug, diff)
				}
				compared++
			}
		})
	}
	if compared < 80 {
		t.Errorf("only %d configs compared", compared)
	}
}

// A database that another server wrote holds its checksums: an app that has not changed must not look as if it had.
func TestChecksum_AsRecorded(t *testing.T) {
	t.Parallel()
	recorded := map[string]string{
		"ts4 ts4-reg 5": "eecb5f4db31469122045adebd158959aadaf94e04d7d73792fe9a433066463f1",
		"ts3 ts3-reg 5": "1d935fc6030522388a0a4bbaef7b64ff3e0f63ceb3c86514c712f33e2f7d8d82",
		"go go-reg 3":   "d3df7a662c794f55d6f11d05a7b106a2b543b8f1dda3effa5ddb2255277faaec",
	}
	for _, one := range load[registration](t, "registrations.json") {
		want, ok := recorded[one.Name]
		if !ok {
			continue
		}
		delete(recorded, one.Name)
		request, err := function.Decode([]byte(one.Body))
		if err != nil {
			t.Fatal(err)
		}
		if got := function.Checksum(request); got != want {
			t.Errorf("%s: checksum %s, want %s", one.Name, got, want)
		}
	}
	if len(recorded) > 0 {
		t.Errorf("not among the registrations: %v", recorded)
	}
}

func TestParseConfig_ReadsAndRewritesStoredRows(t *testing.T) {
	t.Parallel()
	rows := load[string](t, "stored_configs.json")
	for _, registered := range load[registration](t, "registrations.json") {
		for _, config := range registered.Configs {
			rows = append(rows, config)
		}
	}
	for _, row := range rows {
		f, err := function.ParseConfig([]byte(row))
		if err != nil {
			t.Errorf("%s: %v", row, err)
			continue
		}
		if string(f.Config) != row {
			t.Errorf("config = %s, want a copy of %s", f.Config, row)
		}
		if diff := cmp.Diff(row, string(function.Encode(f))); diff != "" {
			t.Errorf("-stored +written again\n%s", diff)
		}
	}
}

func TestPlan_KeepsTheRecordedAppRow(t *testing.T) {
	t.Parallel()
	request, err := function.Decode([]byte(load[registration](t, "registrations.json")[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	plan, _ := function.Plan(function.AppState{}, request, acceptAll)
	want := function.App{
		ID: uuid.MustParse("690c7235-59b3-5a4e-9c04-e1aa98cc6e38"), Name: "acme", SDK: "js", SDKVersion: "v4.18.1",
		Framework: "express", URL: "http://localhost:45999/api/inngest", Method: function.MethodServe, AppVersion: "2026.11.1",
		Metadata: json.RawMessage(`{"featureObservations":"{\"aiMetadataExtraction\":{\"readinessReason\":2},` +
			`\"sendEvents\":{\"readinessReason\":1,\"config\":{\"eventKeyConfigured\":true}}}"}`),
		Checksum: function.Checksum(request),
	}
	if diff := cmp.Diff(want, plan.App); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
