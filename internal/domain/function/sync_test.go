package function_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// registers is a request of the app "app" with functions of these slugs.
func registers(t testing.TB, slugs ...string) function.Request {
	t.Helper()
	request := decode(t, `{"appName":"app","url":"http://h:3000/api","sdk":"js:v4.0.0"}`)
	for _, slug := range slugs {
		url := "http://h:3000/api?fnId=" + slug
		request.Functions = append(request.Functions, function.Declared{
			ID: slug, Name: "fn " + slug,
			Steps: map[string]function.DeclaredStep{"step": {ID: "step", Name: "step", Runtime: map[string]any{"url": url}}},
		})
	}
	return request
}

func versions(functions []function.Function) map[string]int {
	versions := map[string]int{}
	for _, f := range functions {
		versions[f.Slug] = f.Version
	}
	return versions
}

func TestPlan_FollowsAnAppThroughItsLife(t *testing.T) {
	t.Parallel()
	c, app := newCatalog(), ids.AppID("app")
	for _, step := range []struct {
		name     string
		slugs    []string
		modified bool
		want     map[string]int
	}{
		{"first", []string{"a", "b"}, true, map[string]int{"a": 1, "b": 1}},
		{"again", []string{"a", "b"}, false, map[string]int{"a": 1, "b": 1}},
		{"one goes, one comes", []string{"a", "c"}, true, map[string]int{"a": 2, "c": 1}},
		{"an archived one returns", []string{"a", "b", "c"}, true, map[string]int{"a": 3, "b": 2, "c": 2}},
		{"all go", nil, true, map[string]int{}},
		{"all gone again", nil, false, map[string]int{}},
	} {
		_, outcome := c.sync(registers(t, step.slugs...), acceptAll)
		if diff := cmp.Diff(function.Outcome{AppID: app, Modified: step.modified}, outcome); diff != "" {
			t.Errorf("%s: -want +got\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.want, versions(c.active(app))); diff != "" {
			t.Errorf("%s: -want +got\n%s", step.name, diff)
		}
	}
}

func TestPlan_KeepsIdentityBySlug(t *testing.T) {
	t.Parallel()
	c, app := newCatalog(), ids.AppID("app")
	c.sync(registers(t, "a"), acceptAll)
	before := c.active(app)[0]
	moved := registers(t, "a")
	moved.URL, moved.Functions[0].Name = "http://new:3000/api", "renamed"
	moved.Functions[0].Steps["step"].Runtime["url"] = "http://new:3000/api?fnId=a"
	c.sync(moved, acceptAll)
	after := c.active(app)[0]
	if after.ID != before.ID || after.Version != 2 || after.Step.URI != "http://new:3000/api?fnId=a" || after.Name != "renamed" {
		t.Errorf("became %+v, was %+v", after, before)
	}
	parsed, err := function.ParseConfig(after.Config)
	parsed.AppID = app
	if diff := cmp.Diff(after, parsed); err != nil || diff != "" {
		t.Errorf("config says otherwise (error %v): -put +parsed\n%s", err, diff)
	}
}

func TestPlan_RefusalChangesNothingButTheError(t *testing.T) {
	t.Parallel()
	bad := registers(t, "a", "new")
	bad.URL, bad.SDK, bad.Functions[1].Name = "http://other/", "js:v4.1.0", ""
	denied := registers(t, "a")
	denied.SDK = "js:v3.30.0"
	for name, refused := range map[string]struct {
		request function.Request
		want    string
	}{
		"invalid function": {bad, "1 errors occurred: * A function name is required"},
		"denied SDK":       {denied, "sdk_version_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, app := newCatalog(), ids.AppID("app")
			c.sync(registers(t, "a", "b"), acceptAll)
			c.apps[uuid.Max] = function.App{ID: uuid.Max, URL: refused.request.URL}
			wantApp, wantFunctions := c.apps[app], c.active(app)
			wantApp.Error = refused.want
			_, outcome := c.sync(refused.request, acceptAll)
			if outcome.Refused == nil || outcome.Refused.Status != 400 {
				t.Errorf("refusal = %+v", outcome.Refused)
			}
			if diff := cmp.Diff(wantApp, c.apps[app]); diff != "" {
				t.Errorf("app: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(wantFunctions, c.active(app)); diff != "" {
				t.Errorf("functions: -want +got\n%s", diff)
			}
			_, outcome = c.sync(registers(t, "a", "b"), acceptAll)
			if !outcome.Modified || c.apps[app].Error != "" {
				t.Errorf("the good registration left %+v, outcome %+v", c.apps[app], outcome)
			}
		})
	}
}

func TestPlan_LooksAgainAtARefusedFirstRegistration(t *testing.T) {
	t.Parallel()
	c, app := newCatalog(), ids.AppID("app")
	request := registers(t, "a")
	request.Functions[0].Name = ""
	for range 2 {
		if _, outcome := c.sync(request, acceptAll); outcome.Refused == nil {
			t.Fatal("accepted")
		}
		stored := c.apps[app]
		if stored.Checksum != function.Checksum(request) || stored.URL != request.URL || stored.Error == "" {
			t.Errorf("app = %+v", stored)
		}
		// A later ping may clear the error.
		stored.Error = ""
		c.apps[app] = stored
	}
}

func TestPlan_NamesNoAppWithoutAName(t *testing.T) {
	t.Parallel()
	plan, outcome := function.Plan(function.AppState{}, function.Request{}, acceptAll)
	want := `{"error":"App ID required","data":null,"status":400}` + "\n"
	if !plan.Empty() || outcome.Refused == nil || string(outcome.Refused.Body()) != want {
		t.Errorf("plan %+v, outcome %+v", plan, outcome)
	}
}

func TestPlan_BringsAnArchivedAppBack(t *testing.T) {
	t.Parallel()
	for _, slugs := range [][]string{{"a"}, nil} {
		c, app := newCatalog(), uuid.MustParse("00000000-0000-0000-0000-00000000000a")
		first, _ := function.Plan(function.AppState{App: &function.App{ID: app, Name: "app"}}, registers(t, slugs...), acceptAll)
		c.apply(first)
		c.archiveApp(app)
		_, outcome := c.sync(registers(t, slugs...), acceptAll)
		if !outcome.Modified || outcome.AppID != app || c.apps[app].Archived {
			t.Errorf("app = %+v, outcome %+v", c.apps[app], outcome)
		}
		if diff := cmp.Diff(slugs, c.slugs(app)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestPlan_ReplacesOrAdoptsPlaceholders(t *testing.T) {
	t.Parallel()
	first, second, third := uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}
	old := function.Function{ID: uuid.UUID{9}, Slug: "a", Version: 4}
	gone := function.Function{ID: uuid.UUID{8}, Slug: "gone", Version: 1}
	withFunctions := []function.Placeholder{{ID: first}, {ID: second, Functions: []function.Function{old, gone}}, {ID: third, Functions: []function.Function{old}}}
	known := &function.App{ID: uuid.UUID{7}, Name: "app"}
	for name, c := range map[string]struct {
		state   function.AppState
		app     uuid.UUID
		adopt   bool
		drop    []uuid.UUID
		archive []uuid.UUID
		version int
	}{
		"dropped":            {function.AppState{Placeholders: []function.Placeholder{{ID: first}}}, ids.AppID("app"), false, []uuid.UUID{first}, nil, 1},
		"adopted":            {function.AppState{Placeholders: withFunctions}, second, true, []uuid.UUID{first, third}, []uuid.UUID{gone.ID}, 5},
		"known app has more": {function.AppState{App: known, Placeholders: withFunctions}, known.ID, false, []uuid.UUID{first, second, third}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, _ := function.Plan(c.state, registers(t, "a"), acceptAll)
			got := []any{plan.App.ID, plan.Adopt, plan.DropPlaceholders, plan.Archive, plan.Put[0].Version}
			if diff := cmp.Diff([]any{c.app, c.adopt, c.drop, c.archive, c.version}, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPlan_UnchangedWritesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	plain, observed := registers(t, "a"), registers(t, "a")
	observed.Observations = &function.Observations{SendEvents: &function.SendEventsObservation{Reason: 2}}
	const metadata = `{"featureObservations":"{\"sendEvents\":{\"readinessReason\":2}}"}`
	placeholder := []function.Placeholder{{ID: uuid.UUID{1}}}
	for name, c := range map[string]struct {
		stored       string
		request      function.Request
		placeholders []function.Placeholder
		want         string
	}{
		"nothing new":          {metadata, observed, nil, ""},
		"spaces are not new":   {" " + metadata, observed, nil, ""},
		"nothing said":         {metadata, plain, nil, ""},
		"new observations":     {`{}`, observed, nil, metadata},
		"unreadable metadata":  {`{`, observed, nil, metadata},
		"placeholder must go":  {metadata, plain, placeholder, metadata},
		"both at the same one": {`{}`, observed, placeholder, metadata},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, _ := function.Plan(function.AppState{}, plain, acceptAll)
			app := first.App
			app.Metadata = json.RawMessage(c.stored)
			plan, outcome := function.Plan(function.AppState{App: &app, Functions: first.Put, Placeholders: c.placeholders}, c.request, acceptAll)
			if outcome.Modified || outcome.Refused != nil || outcome.AppID != app.ID {
				t.Errorf("outcome = %+v", outcome)
			}
			want := function.SyncPlan{}
			if c.want != "" {
				app.Metadata = json.RawMessage(c.want)
				want.App = app
			}
			for _, p := range c.placeholders {
				want.DropPlaceholders = append(want.DropPlaceholders, p.ID)
			}
			if diff := cmp.Diff(want, plan); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPlan_RepairsAHalfMadeSync(t *testing.T) {
	t.Parallel()
	request := registers(t, "a", "b")
	full, _ := function.Plan(function.AppState{}, request, acceptAll)
	extra := function.Function{ID: uuid.UUID{9}, Slug: "extra"}
	for name, active := range map[string][]function.Function{
		"one missing":  full.Put[:1],
		"one too many": append(slices.Clone(full.Put), extra),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, outcome := function.Plan(function.AppState{App: &full.App, Functions: active}, request, acceptAll)
			if !outcome.Modified || len(plan.Put) != 2 {
				t.Errorf("outcome %+v, plan %+v", outcome, plan)
			}
		})
	}
}

func TestPlan_TellsFunctionsOfOneNameAndURLApart(t *testing.T) {
	t.Parallel()
	request := registers(t, "a", "b")
	request.Functions[1].Name, request.Functions[1].Steps = request.Functions[0].Name, request.Functions[0].Steps
	plan, _ := function.Plan(function.AppState{}, request, acceptAll)
	if plan.Put[0].ID == plan.Put[1].ID {
		t.Errorf("both have the ID %s", plan.Put[0].ID)
	}
	if want := ids.FunctionID("fn a", "http://h:3000/api?fnId=a"); plan.Put[0].ID != want {
		t.Errorf("the first has the ID %s, want %s", plan.Put[0].ID, want)
	}
}

func TestPlan_ConnectedAppsShareTheirWorkers(t *testing.T) {
	t.Parallel()
	request := decode(t, `{"appName":"my-app","deployType":"connect","url":"ws://connect?app_name=my-app","capabilities":{"connect":"v1"},
		"functions":[{"id":"a","name":"a","steps":{"step":{"name":"s","runtime":{"url":"wss://connect?fnId=a"}}},"concurrency":{"fn":[{"limit":3}],"step":[{"limit":2}]}},
			{"id":"b","name":"b","steps":{"step":{"name":"s","runtime":{"url":"wss://connect?fnId=b"}}}}]}`)
	c := newCatalog()
	plan, _ := c.sync(request, acceptAll)
	worker := `{"limit":0,"scope":"app","id":"app:6314abb5-b9cc-5d32-8ac3-51e26170f039"}`
	want := []string{
		`{"fn":[{"limit":3},` + worker + `],"step":[{"limit":2,"scope":"Fn","hash":""}]}`,
		`{"fn":[` + worker + `]}`,
	}
	for at, f := range plan.Put {
		var stored struct{ Concurrency json.RawMessage }
		if err := json.Unmarshal(f.Config, &stored); err != nil {
			t.Fatal(err)
		}
		if got := string(stored.Concurrency); got != want[at] {
			t.Errorf("%s: got %s, want %s", f.Slug, got, want[at])
		}
	}
	if plan.App.Method != function.MethodConnect {
		t.Errorf("method = %q", plan.App.Method)
	}
	if _, outcome := c.sync(request, acceptAll); outcome.Modified {
		t.Error("the same registration counts as a change")
	}
}

func TestMintable_LeavesOutWhatHasNoID(t *testing.T) {
	t.Parallel()
	request := registers(t, "active", "new", "stepless", "homeless")
	request.Functions[2].Steps = nil
	request.Functions[3].Steps = map[string]function.DeclaredStep{"s": {}}
	state := function.AppState{App: &function.App{ID: uuid.UUID{1}}, Functions: []function.Function{{Slug: "active"}}}
	url := "http://h:3000/api?fnId=new"
	want := []uuid.UUID{
		ids.FunctionID("fn new", url), ids.FunctionID("fn new"+url, "new"), ids.FunctionID("fn new"+url+"new", uuid.UUID{1}.String()),
	}
	if diff := cmp.Diff(want, function.Mintable(state, request)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPlan_LeavesFunctionsOfOtherAppsAlone(t *testing.T) {
	t.Parallel()
	c, seen := newCatalog(), map[uuid.UUID]string{}
	for _, name := range []string{"app", "second", "third"} {
		request := registers(t, "a") // the same name, URL and slug in each
		request.AppName = name
		for version := 1; version <= 2; version++ {
			plan, _ := c.sync(request, acceptAll)
			if len(plan.Put) != 1 || plan.Put[0].Version != version {
				t.Fatalf("app %s: plan %+v, want version %d", name, plan, version)
			}
			seen[plan.Put[0].ID] = name
			c.archiveApp(plan.App.ID) // it comes back with the same identity
		}
		c.sync(request, acceptAll)
	}
	if len(seen) != 3 {
		t.Errorf("three apps have %d functions: %v", len(seen), seen)
	}
	for id, name := range seen {
		if owner := c.functions[id].AppID; owner != ids.AppID(name) {
			t.Errorf("function %s of app %s is of app %s", id, name, owner)
		}
	}
}

// Whatever an app registers, in whatever order: afterwards exactly that is active, under stable identities, and
// registering it again changes nothing.
func TestPlan_MakesTheRegistrationTrue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, app := newCatalog(), ids.AppID("app")
		for round := range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			slugs := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID).Draw(rt, fmt.Sprint("slugs", round))
			slices.Sort(slugs)
			before := map[string]function.Function{}
			for _, f := range c.active(app) {
				before[f.Slug] = f
			}
			plan, _ := c.sync(registers(t, slugs...), acceptAll)
			if got := c.slugs(app); !slices.Equal(got, slugs) {
				rt.Fatalf("active are %q, want %q", got, slugs)
			}
			for _, f := range plan.Put {
				if slices.Contains(plan.Archive, f.ID) {
					rt.Fatalf("%s is archived and put", f.Slug)
				}
				if was, ok := before[f.Slug]; ok && (was.ID != f.ID || was.Version+1 != f.Version) {
					rt.Fatalf("%s became %s version %d, was %s version %d", f.Slug, f.ID, f.Version, was.ID, was.Version)
				}
			}
			if _, outcome := c.sync(registers(t, slugs...), acceptAll); outcome.Modified {
				rt.Fatal("the same registration counts as a change")
			}
		}
	})
}
