package function_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/function"
)

// storedSettings converts a function with the given members and returns its stored configuration without the members that
// all functions have.
func storedSettings(t *testing.T, members string) map[string]json.RawMessage {
	t.Helper()
	f, complaints := declare(t, members).Convert(acceptAll)
	if len(complaints) > 0 {
		t.Fatalf("%s: %q", members, complaints)
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(function.Encode(f), &config); err != nil {
		t.Fatal(err)
	}
	for _, common := range []string{"id", "fv", "name", "slug", "triggers", "steps"} {
		delete(config, common)
	}
	return config
}

// declare is a valid function with some members besides.
func declare(t *testing.T, members string) function.Declared {
	t.Helper()
	declared := function.Declared{
		ID: "app-f", Name: "f",
		Steps: map[string]function.DeclaredStep{"step": {ID: "step", Name: "step", Runtime: map[string]any{"url": "http://h/"}}},
	}
	if err := json.Unmarshal([]byte(members), &declared); err != nil {
		t.Fatalf("%s: %v", members, err)
	}
	return declared
}

func TestConvert_StoresSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sent, key, stored string }{
		"concurrency number":          {`{"concurrency":5}`, "concurrency", `[{"limit":5,"scope":"Fn","hash":""}]`},
		"concurrency zero":            {`{"concurrency":0}`, "concurrency", `[{"limit":0,"scope":"Fn","hash":""}]`},
		"concurrency negative":        {`{"concurrency":-3}`, "concurrency", `[{"limit":-3,"scope":"Fn","hash":""}]`},
		"concurrency null":            {`{"concurrency":null}`, "concurrency", ``},
		"concurrency text":            {`{"concurrency":"five"}`, "concurrency", ``},
		"concurrency fraction":        {`{"concurrency":1.5}`, "concurrency", ``},
		"concurrency empty list":      {`{"concurrency":[]}`, "concurrency", ``},
		"concurrency empty lists":     {`{"concurrency":{"fn":[],"step":[]}}`, "concurrency", ``},
		"concurrency empty object":    {`{"concurrency":{}}`, "concurrency", `[{"limit":0,"scope":"Fn","hash":""}]`},
		"concurrency one limit":       {`{"concurrency":{"limit":5,"key":"event.data.userId","scope":"env"}}`, "concurrency", `[{"limit":5,"key":"event.data.userId","scope":"Env","hash":"27q1go5bd4m02"}]`},
		"concurrency sorted":          {`{"concurrency":[{"limit":9,"scope":"ACCOUNT","key":"\"a\""},{"limit":2,"scope":null}]}`, "concurrency", `[{"limit":2,"scope":"Fn","hash":""},{"limit":9,"key":"\"a\"","scope":"Account","hash":"` + hashOf(t, `"a"`) + `"}]`},
		"concurrency known hash":      {`{"concurrency":[{"limit":9,"key":"k","hash":"h"}]}`, "concurrency", `[{"limit":9,"key":"k","scope":"Fn","hash":"h"}]`},
		"concurrency of runs":         {`{"concurrency":{"fn":[{"limit":1}]}}`, "concurrency", `{"fn":[{"limit":1}]}`},
		"concurrency of runs by key":  {`{"concurrency":{"fn":[{"limit":1,"key":"event.data.userId","scope":"fn"}]}}`, "concurrency", `{"fn":[{"limit":1,"scope":"fn","key":"event.data.userId","id":"27q1go5bd4m02"}]}`},
		"concurrency of both":         {`{"concurrency":{"fn":[{"limit":1}],"step":[{"limit":2}]}}`, "concurrency", `{"fn":[{"limit":1}],"step":[{"limit":2,"scope":"Fn","hash":""}]}`},
		"concurrency of steps":        {`{"concurrency":{"step":[{"limit":2}]}}`, "concurrency", `[{"limit":2,"scope":"Fn","hash":""}]`},
		"idempotency":                 {`{"idempotency":"event.data.id","rateLimit":{"limit":9,"period":"1m"}}`, "rateLimit", `{"limit":1,"period":"24h0m0s","key":"event.data.id"}`},
		"rate limit":                  {`{"rateLimit":{"key":"k","limit":9,"period":"60s"}}`, "rateLimit", `{"limit":9,"period":"60s","key":"k"}`},
		"throttle":                    {`{"throttle":{"limit":2,"period":"90s","key":"k","burst":3}}`, "throttle", `{"burst":3,"key":"k","limit":2,"period":"1m30s"}`},
		"throttle of no period":       {`{"throttle":{"limit":1,"period":"0s"}}`, "throttle", `{"burst":0,"limit":1,"period":"0s"}`},
		"debounce":                    {`{"debounce":{"period":"7d","key":"","timeout":"8d"}}`, "debounce", `{"period":"7d","timeout":"8d"}`},
		"batch":                       {`{"batchEvents":{"timeout":"5s","maxSize":2,"if":"a","key":"b","x":1}}`, "batchEvents", `{"key":"b","maxSize":2,"timeout":"5s","if":"a"}`},
		"batch null":                  {`{"batchEvents":null}`, "batchEvents", ``},
		"batch empty":                 {`{"batchEvents":{}}`, "batchEvents", ``},
		"priority":                    {`{"priority":{"run":"1 < 2 ? 1 : 0"}}`, "priority", `{"run":"1 \u003c 2 ? 1 : 0"}`},
		"priority null":               {`{"priority":{"run":null}}`, "priority", `{"run":null}`},
		"timeouts":                    {`{"timeouts":{"finish":"soon","start":"1s"}}`, "timeouts", `{"start":"1s","finish":"soon"}`},
		"cancel":                      {`{"cancel":[{"if":"a","event":"e","timeout":"1h"},{"event":"f"}]}`, "cancel", `[{"event":"e","timeout":"1h","if":"a"},{"event":"f"}]`},
		"singleton":                   {`{"Singleton":{"mode":"CANCEL","key":"k"}}`, "singleton", `{"key":"k","mode":"cancel"}`},
		"singleton without a mode":    {`{"singleton":{}}`, "singleton", `{"mode":"skip"}`},
		"singleton with a null mode":  {`{"singleton":{"mode":null}}`, "singleton", `{"mode":"skip"}`},
		"singleton null":              {`{"Singleton":null}`, "singleton", ``},
		"checkpoint":                  {`{"checkpoint":{"batch_steps":3,"batch_interval":300000000,"max_runtime":"90s"}}`, "checkpoint", `{"batch_steps":3,"batch_interval":"300ms","max_runtime":"1m30s"}`},
		"checkpoint without anything": {`{"checkpoint":{"batch_steps":0,"batch_interval":"","max_runtime":null}}`, "checkpoint", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string]string{}
			if c.stored != "" {
				want[c.key] = c.stored
			}
			got := map[string]string{}
			for key, value := range storedSettings(t, c.sent) {
				got[key] = string(value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// hashOf reads the hash of a key off a limit that is known to be right otherwise.
func hashOf(t *testing.T, key string) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"limit": 1, "key": key})
	if err != nil {
		t.Fatal(err)
	}
	var limits function.Concurrency
	if err := json.Unmarshal(raw, &limits); err != nil {
		t.Fatal(err)
	}
	return limits.Step[0].Hash
}

func TestEncode_WritesDefaultsForZeroValues(t *testing.T) {
	t.Parallel()
	f := function.Function{Settings: function.Settings{
		Singleton:   &function.Singleton{},
		Concurrency: &function.Concurrency{Step: []function.StepLimit{{Limit: 1}}},
	}}
	want := `{"id":"00000000-0000-0000-0000-000000000000","fv":0,"name":"","slug":"",` +
		`"concurrency":[{"limit":1,"scope":"Fn","hash":""}],"triggers":null,"singleton":{"mode":"skip"}}`
	if got := string(function.Encode(f)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseConfig_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no JSON":     `{`,
		"no object":   `[]`,
		"bad ID":      `{"id":"x"}`,
		"bad scope":   `{"concurrency":[{"scope":"galaxy"}]}`,
		"bad limits":  `{"concurrency":["x"]}`,
		"bad steps":   `{"concurrency":{"step":1}}`,
		"bad limit":   `{"concurrency":{"limit":"x"}}`,
		"bad minutes": `{"throttle":{"period":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f, err := function.ParseConfig([]byte(config)); err == nil {
				t.Errorf("%s was read as %+v", config, f)
			}
		})
	}
}

func TestDuration_SurvivesJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := function.Duration(rapid.Int64().Draw(t, "nanoseconds"))
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		number, err := json.Marshal(int64(want))
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range [][]byte{text, number} {
			var got function.Duration
			if err := json.Unmarshal(raw, &got); err != nil || got != want {
				t.Errorf("%s reads back as %s, error %v", raw, time.Duration(got), err)
			}
		}
	})
}

func TestConcurrency_Shown(t *testing.T) {
	t.Parallel()
	plan := []function.StepLimit{{Limit: -1, Scope: function.ScopeAccount}}
	for name, c := range map[string]struct {
		limits *function.Concurrency
		want   []function.StepLimit
		ofPlan bool
	}{
		"none":           {nil, plan, true},
		"of runs only":   {&function.Concurrency{Run: []function.RunLimit{{Limit: 1}}}, nil, false},
		"of steps":       {&function.Concurrency{Step: []function.StepLimit{{Limit: 2, Key: "'a'", Scope: function.ScopeEnv}}}, []function.StepLimit{{Limit: 2, Key: "'a'", Scope: function.ScopeEnv}}, false},
		"without a name": {&function.Concurrency{Step: []function.StepLimit{{Limit: 2}}}, []function.StepLimit{{Limit: 2, Scope: function.ScopeFunction}}, false},
	} {
		got := c.limits.Shown()
		ofPlan := len(got) > 0 && got[0].OfPlan()
		if diff := cmp.Diff(c.want, got); diff != "" || ofPlan != c.ofPlan {
			t.Errorf("%s: of the plan %t, -want +got\n%s", name, ofPlan, diff)
		}
	}
}
