package appsync

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// register registers an app that is to be accepted.
func (w *world) register(body []byte) Result {
	w.t.Helper()
	result, err := w.syncer.Register(w.t.Context(), body)
	if err != nil {
		w.t.Fatalf("register: %v", err)
	}
	return result
}

func TestRegister_TakesEffectBeforeTheAppHearsOfIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got := w.register(registration("app", appURL, "a", "b"))
	if diff := cmp.Diff(Result{AppID: ids.AppID("app"), Modified: true}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"app-a", "app-b"}, w.slugs()); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
	if !w.registry.Listens("a") || w.registry.SDK(got.AppID) != "js" {
		t.Error("the registry does not know the app")
	}
	if app := w.app(appURL); app.Name != "app" || app.SDKVersion != "v4.18.1" || app.Error != "" {
		t.Errorf("app is %+v", app)
	}
}

func TestRegister_UnchangedWritesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.register(registration("app", appURL, "a"))
	got := w.register(registration("app", appURL, "a"))
	if diff := cmp.Diff(Result{AppID: ids.AppID("app")}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := w.catalog.count("Sync"); n != 1 {
		t.Errorf("the catalog was written %d times", n)
	}
}

func TestRegister_ArchivesWhatIsNotThereAnyMoreAndBringsItBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.register(registration("app", appURL, "a", "b"))
	w.register(registration("app", appURL, "a"))
	if diff := cmp.Diff([]string{"app-a"}, w.slugs()); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
	w.register(registration("app", appURL, "a", "b"))
	back, ok := w.registry.Find("app-b")
	if !ok || back.Version != 2 {
		t.Errorf("the function came back as version %d, want the one after what it had", back.Version)
	}
}

func TestRegister_Refusals(t *testing.T) {
	t.Parallel()
	invalid := strings.Replace(string(registration("app", appURL, "a")), `{"event":"a"}`, `{"event":"a","expression":"bad"}`, 1)
	denied := strings.Replace(string(registration("app", appURL, "a")), sdkV4, "js:v3.30.0", 1)
	for name, c := range map[string]struct {
		body       string
		unreadable bool
		code       string
		appError   string
	}{
		"no json":            {`{`, true, "", ""},
		"no name":            {`{"url":"` + appURL + `","functions":[]}`, false, "", ""},
		"an invalid trigger": {invalid, false, "", "does not compile"},
		"a denied SDK":       {denied, false, function.CodeSDKDenied, function.CodeSDKDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, known := range []bool{false, true} {
				w := setup(t)
				var want []string
				if known {
					w.register(registration("app", appURL, "b"))
					want = []string{"app-b"}
				}
				result, err := w.syncer.Register(t.Context(), []byte(c.body))
				refused := (*RefusedError)(nil)
				if !errors.As(err, &refused) || result != (Result{}) {
					t.Fatalf("result is %v, error %v", result, err)
				}
				if refused.Unreadable != c.unreadable || refused.Code != c.code || refused.Status != 400 || refused.Error() == "" || refused.Error() != refused.Text {
					t.Errorf("refused with %+v", refused)
				}
				if diff := cmp.Diff(want, w.slugs()); diff != "" {
					t.Errorf("functions -want +got:\n%s", diff)
				}
				if c.appError == "" {
					continue
				}
				if app := w.app(appURL); !strings.Contains(app.Error, c.appError) {
					t.Errorf("the app's error is %q", app.Error)
				}
				w.register(registration("app", appURL, "b")) // which clears the error
				if app := w.app(appURL); app.Error != "" {
					t.Errorf("the app's error is still %q", app.Error)
				}
			}
		})
	}
}

func TestRegister_NamesSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	plain := declared("app", appURL, "a", "")
	body := strings.Replace(string(registration("app", appURL, "a")), plain, declared("app", appURL, "a", `,"retries":1`)+","+
		declared("app", appURL, "b", `,"timeouts":{"start":"soon","finish":"late"}`)+","+declared("app", appURL, "c", `,"concurrency":3,"timeouts":{"finish":"never"}`)+","+
		declared("app", appURL, "d", `,"throttle":{"limit":1,"period":"0s","key":"event.data.k"},"debounce":{"period":"1s","timeout":"late"}`)+","+
		declared("app", appURL, "e", `,"rateLimit":{"limit":1,"period":"-1s"},"concurrency":{"limit":0,"key":"event.data.k"}`), 1)
	got := w.register([]byte(body))
	want := `the following settings cannot be used: app-b: timeouts.start "soon" is no duration, ` +
		`timeouts.finish "late" is no duration; app-c: timeouts.finish "never" is no duration; ` +
		`app-d: debounce.timeout: time: invalid duration "late", throttle.period: must be positive; ` +
		`app-e: rateLimit.period: must be positive, concurrency: concurrency limit must be > 0`
	if got.Message != want {
		t.Errorf("message is %q, want %q", got.Message, want)
	}
	if !strings.Contains(w.logged.String(), "settings that cannot be used") {
		t.Errorf("logged %s", w.logged)
	}
	if again := w.register([]byte(body)); again.Message != "" || again.Modified {
		t.Errorf("an unchanged app is told %+v", again)
	}
}

// TestRegister_NamesKeysThatDoNotCompile: the functions are there all the same, as other servers have them.
func TestRegister_NamesKeysThatDoNotCompile(t *testing.T) {
	t.Parallel()
	for setting, members := range map[string]string{
		"throttle.key":  `,"throttle":{"limit":1,"period":"1m","key":"event.data.x =="}`,
		"singleton.key": `,"singleton":{"mode":"skip","key":"event.data.x =="}`,
	} {
		w := setup(t)
		got := w.register([]byte(strings.Replace(string(registration("app", appURL, "a")), declared("app", appURL, "a", ""), declared("app", appURL, "a", members), 1)))
		if !strings.HasPrefix(got.Message, "the following settings cannot be used: app-a: "+setting+": ") {
			t.Errorf("%s: message is %q", setting, got.Message)
		}
		if diff := cmp.Diff([]string{"app-a"}, w.slugs()); diff != "" {
			t.Errorf("%s: functions -want +got:\n%s", setting, diff)
		}
	}
}

func TestRegister_ReplacesAPlaceholder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	placeholder := function.App{ID: ids.PlaceholderAppID(appURL), URL: appURL, Method: function.MethodServe, Error: "unreachable"}
	other := function.App{ID: uuid.New(), URL: "http://other.test/api", Method: function.MethodServe}
	for _, app := range []function.App{placeholder, other} {
		if err := w.catalog.PutPlaceholder(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	w.register(registration("app", appURL, "a"))
	if app := w.app(appURL); app.ID != ids.AppID("app") {
		t.Errorf("at the URL is %+v", app)
	}
	if app := w.app(other.URL); app.ID != other.ID {
		t.Errorf("the placeholder of another URL is %+v", app)
	}
}

func TestRegister_AdoptsAPlaceholderWithFunctions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	row := function.App{ID: uuid.New(), URL: appURL, Method: function.MethodServe}
	kept := function.Function{ID: uuid.New(), AppID: row.ID, Version: 4, Name: "a", Slug: "app-a"}
	gone := function.Function{ID: uuid.New(), AppID: row.ID, Version: 1, Name: "gone", Slug: "app-gone"}
	plan := function.SyncPlan{App: row, Put: []function.Function{kept, gone}}
	if err := w.catalog.Sync(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	w.registry.Apply(plan)

	got := w.register(registration("app", appURL, "a"))
	if got.AppID != row.ID {
		t.Errorf("app is %s, want the placeholder's row %s", got.AppID, row.ID)
	}
	if diff := cmp.Diff([]string{"app-a"}, w.slugs()); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
	if fn, _ := w.registry.Find("app-a"); fn.ID != kept.ID || fn.Version != 5 {
		t.Errorf("function is %s version %d", fn.ID, fn.Version)
	}
	if app := w.app(appURL); app.ID != row.ID || app.Name != "app" {
		t.Errorf("app is %+v", app)
	}
}

func TestRegister_ChangesNothingWhenTheCatalogFails(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"AppByName", "Apps", "FunctionsByID", "Sync"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.catalog.failing(call, 1)
			_, err := w.syncer.Register(t.Context(), registration("app", appURL, "a"))
			if !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
			if got := w.slugs(); got != nil || w.registry.Listens("a") {
				t.Errorf("functions are %v", got)
			}
			w.register(registration("app", appURL, "a"))
		})
	}
}

func TestRegister_AgainWhenTheCatalogFails(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.register(registration("app", appURL, "a"))
	w.catalog.failing("FunctionsOf", 1)
	if _, err := w.syncer.Register(t.Context(), registration("app", appURL, "b")); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	if got := w.slugs(); len(got) != 1 || got[0] != "app-a" {
		t.Errorf("functions are %v", got)
	}
}

func TestRegister_SyncsOfOneAppComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			app := fmt.Sprint("app", n%2)
			url := "http://" + app + ".test/api"
			if _, err := w.syncer.Register(t.Context(), registration(app, url, "x", fmt.Sprint("f", n))); err != nil {
				t.Error(err)
			}
			if n%5 == 0 {
				if err := w.syncer.Remove(t.Context(), url); err != nil && !errors.Is(err, ports.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, app := range []string{"app0", "app1"} {
		w.register(registration(app, "http://"+app+".test/api", "x"))
		if fn, _ := w.registry.Find(app + "-x"); fn.Version < 2 || fn.Version > 11 {
			t.Errorf("version is %d after 10 or 11 syncs", fn.Version)
		}
	}
	if diff := cmp.Diff([]string{"app0-x", "app1-x"}, w.slugs()); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
}

func TestRemove_DoesNotComeBetweenCatalogAndRegistry(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var group sync.WaitGroup
	w.catalog.synced = func() {
		found := make(chan struct{})
		w.catalog.found = func() { close(found) }
		group.Go(func() {
			if err := w.syncer.Remove(t.Context(), appURL); err != nil {
				t.Error(err)
			}
		})
		<-found
		for range 10_000 { // turns in which a removal that does not wait would be done
			runtime.Gosched()
		}
	}
	w.register(registration("app", appURL, "a"))
	group.Wait()
	if got := w.slugs(); got != nil { // which also compares catalog and registry
		t.Errorf("functions are %v", got)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.register(registration("app", appURL, "a"))
	w.register(registration("other", "http://other.test/api", "a"))

	w.catalog.failing("RemoveApp", 1)
	if err := w.syncer.Remove(t.Context(), appURL); !errors.Is(err, ports.ErrUnavailable) || len(w.slugs()) != 2 {
		t.Errorf("error is %v, functions are %v", err, w.slugs())
	}
	if err := w.syncer.Remove(t.Context(), appURL); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"other-a"}, w.slugs()); diff != "" {
		t.Errorf("functions -want +got:\n%s", diff)
	}
	matches := w.registry.Match(event.Event{Name: "a"}, testkit.Clock{}.Now())
	if len(matches) != 1 || matches[0].Function.Slug != "other-a" {
		t.Errorf("matches are %v", matches)
	}
	if err := w.syncer.Remove(t.Context(), appURL); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	if got := w.register(registration("app", appURL, "a")); !got.Modified || len(w.slugs()) != 2 {
		t.Errorf("registered again: %+v, %v", got, w.slugs())
	}
}
