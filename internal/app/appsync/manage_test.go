package appsync

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

func (w *world) poller() *Poller {
	return NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{})
}

func TestAdd_ReturnsTheAppThatHasRegistered(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// The SDK registers first, then it answers.
	w.apps.answer = func(_ context.Context, url string) (sdk.Response, error) {
		w.register(registration("app", url, "a"))
		return sdk.Response{Status: 200, Body: []byte(`{}`)}, nil
	}
	app, err := w.poller().Add(t.Context(), "app.test/api/inngest?probe=1")
	if err != nil || app.Name != "app" || app.URL != appURL || app.Error != "" {
		t.Fatalf("added %+v, %v", app, err)
	}
	if again, err := w.poller().Add(t.Context(), appURL); err != nil || again.ID != app.ID {
		t.Errorf("added again: %+v, %v", again, err)
	}
}

func TestAdd_KeepsAnAppThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.apps.answers(sdk.Response{Status: 401})
	_, err := w.poller().Add(t.Context(), "localhost:3000/api/inngest")
	if fault := (*PingError)(nil); !errors.As(err, &fault) || err.Error() != "unauthorized" {
		t.Errorf("error is %v", err)
	}
	app := w.app("http://localhost:3000/api/inngest")
	if app.ID.String() != "ed1dd999-5829-5a8a-b82a-e8258ddeb289" || app.Error != "unauthorized" || app.Name != "" { // the vector of spec 05 §4.5
		t.Errorf("app is %+v", app)
	}
	w.apps.answers(sdk.Response{Status: 200, Body: []byte(`{}`)})
	if app, err := w.poller().Add(t.Context(), app.URL); err != nil || app.Name != "" {
		t.Errorf("an app that answers and does not register: %+v, %v", app, err)
	}
}

func TestAdd_SaysWhatFailed(t *testing.T) {
	t.Parallel()
	refused := setup(t)
	refused.apps.answers(sdk.Response{Status: 200, Body: []byte(strings.Replace(inBand(""), `{"event":"a"}`, `{"event":"a","expression":"bad"}`, 1))})
	var refusal *RefusedError
	if _, err := refused.poller().Add(t.Context(), appURL); !errors.As(err, &refusal) {
		t.Errorf("error is %v, want a refusal", err)
	}
	broken := setup(t)
	broken.catalog.failing("PutPlaceholder", 1)
	if _, err := broken.poller().Add(t.Context(), appURL); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	stopping := setup(t)
	stopping.apps.answer = func(context.Context, string) (sdk.Response, error) { return sdk.Response{}, context.Canceled }
	if _, err := stopping.poller().Add(t.Context(), appURL); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestMove_ChangesTheURLOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.register(registration("app", appURL, "a")).AppID
	moved, err := w.syncer.Move(t.Context(), id, "127.0.0.1:9/x?deployId=1")
	if err != nil || moved.URL != "http://localhost:9/x" || moved.Name != "app" {
		t.Errorf("moved %+v, %v", moved, err)
	}
	if app := w.app("http://localhost:9/x"); app.ID != id {
		t.Errorf("app is %+v", app)
	}
	if _, err := w.syncer.Move(t.Context(), uuid.New(), "x"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("an unknown app: %v", err)
	}
	w.catalog.failing("AppsByID", 1)
	if _, err := w.syncer.Move(t.Context(), id, "x"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("a broken catalog: %v", err)
	}
	w.catalog.failing("SetAppURL", 1)
	if _, err := w.syncer.Move(t.Context(), id, "x"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("a broken catalog: %v", err)
	}
}

func TestRemove_ByIDAndByName(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(w *world) error{
		"by ID":   func(w *world) error { return w.syncer.RemoveID(w.t.Context(), ids.AppID("app")) },
		"by name": func(w *world) error { return w.syncer.RemoveName(w.t.Context(), "app") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			if err := remove(w); !errors.Is(err, ports.ErrNotFound) {
				t.Errorf("an unknown app: %v", err)
			}
			w.register(registration("app", appURL, "a"))
			w.register(registration("other", appURL+"/2", "b"))
			if err := remove(w); err != nil {
				t.Fatal(err)
			}
			if got := w.slugs(); len(got) != 1 || got[0] != "other-b" {
				t.Errorf("functions are %v", got)
			}
			if err := w.syncer.RemoveName(t.Context(), "app"); !errors.Is(err, ports.ErrNotFound) {
				t.Errorf("an archived app: %v", err)
			}
		})
	}
}

func TestDiscovered_NamesTheURLsThatWereFound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.apps.probe = func(_ context.Context, url string) bool { return url == "http://127.0.0.1:3000/api/inngest" }
	w.apps.answers(sdk.Response{Status: 404})
	p := NewPoller(w.syncer, w.catalog, w.apps, w.log, PollerConfig{Discover: true, DiscoveryURLs: DiscoveryURLs()})
	if err := p.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.pings.Wait(); err != nil {
		t.Fatal(err)
	}
	if !p.Discovered(function.NormalizeURL("http://127.0.0.1:3000/api/inngest")) || p.Discovered(appURL) {
		t.Error("not the one that was found")
	}
}
