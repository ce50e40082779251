package portstest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/ports"
)

func appPages(t *testing.T, p Ports) {
	var active, archived []uuid.UUID
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		app := anApp(name)
		syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{aFunctionOf(app, "one")}})
		if i < 2 {
			must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
			archived = append(archived, app.ID)
			continue
		}
		active = append(active, app.ID)
	}
	for _, want := range []struct {
		ids []uuid.UUID
		q   ports.AppQuery
	}{{active, ports.AppQuery{Limit: 2}}, {archived, ports.AppQuery{Limit: 1, Archived: true}}} {
		slices.SortFunc(want.ids, compareUUIDs)
		var got []uuid.UUID
		for {
			page, err := p.Catalog.AppPage(t.Context(), want.q)
			must(t, err)
			if len(page) > want.q.Limit {
				t.Fatalf("page of %d", len(page))
			}
			if len(page) == 0 {
				break
			}
			for _, record := range page {
				got = append(got, record.ID)
				same(t, record.Archived, want.q.Archived)
				same(t, record.ArchivedAt.IsZero(), !want.q.Archived)
			}
			want.q.After = got[len(got)-1]
		}
		same(t, got, want.ids)
	}
}

func functionPages(t *testing.T, p Ports) {
	app, other := anApp("acme"), anApp("other")
	var put []function.Function
	for _, name := range []string{"a", "b", "c", "d"} {
		put = append(put, aFunctionOf(app, name))
	}
	syncPlan(t, p, function.SyncPlan{App: other, Put: []function.Function{aFunctionOf(other, "a")}})
	syncPlan(t, p, function.SyncPlan{App: app, Put: put})
	syncPlan(t, p, function.SyncPlan{App: app, Archive: []uuid.UUID{put[0].ID}})
	want := slices.Clone(put[1:])
	slices.SortFunc(want, func(a, b function.Function) int { return compareUUIDs(a.ID, b.ID) })
	first, err := p.Catalog.FunctionPage(t.Context(), ports.FunctionQuery{App: app.ID, Limit: 2})
	must(t, err)
	same(t, first, want[:2])
	second, err := p.Catalog.FunctionPage(t.Context(), ports.FunctionQuery{App: app.ID, After: first[1].ID, Limit: 2})
	must(t, err)
	same(t, second, want[2:])
	none, err := p.Catalog.FunctionPage(t.Context(), ports.FunctionQuery{App: uuid.New(), Limit: 2})
	must(t, err)
	same(t, len(none), 0)
}

func appByID(t *testing.T, p Ports) {
	app := anApp("acme")
	syncPlan(t, p, function.SyncPlan{App: app, Put: []function.Function{aFunctionOf(app, "one"), aFunctionOf(app, "two")}})
	before, err := ports.One(p.Catalog.AppsByID(t.Context(), []uuid.UUID{app.ID}))
	must(t, err)
	same(t, before.App, app)
	same(t, before.Functions, 2)
	named, err := p.Catalog.AppByName(t.Context(), app.Name)
	must(t, err)
	same(t, named, before)
	if before.CreatedAt.IsZero() || !before.ArchivedAt.IsZero() {
		t.Errorf("created at %s, archived at %s", before.CreatedAt, before.ArchivedAt)
	}
	must(t, p.Catalog.RemoveApp(t.Context(), app.ID))
	after, err := ports.One(p.Catalog.AppsByID(t.Context(), []uuid.UUID{app.ID}))
	must(t, err)
	if after.ArchivedAt.IsZero() || !after.Archived || after.Functions != 0 || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("archived app %+v", after)
	}
	syncPlan(t, p, function.SyncPlan{App: app})
	back, err := ports.One(p.Catalog.AppsByID(t.Context(), []uuid.UUID{app.ID}))
	must(t, err)
	if !back.ArchivedAt.IsZero() || !back.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("app that came back %+v", back)
	}
	if _, err := ports.One(p.Catalog.AppsByID(t.Context(), []uuid.UUID{uuid.New()})); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("unknown app: %v", err)
	}
	for _, name := range []string{"", "other"} {
		if _, err := p.Catalog.AppByName(t.Context(), name); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("app named %q: %v", name, err)
		}
	}
}

func compareUUIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
