package portstest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/cancellation"
	"github.com/ingothq/ingot/internal/ports"
)

// TestCancellations is the contract of ports.Cancellations.
func TestCancellations(t *testing.T, run Runner) {
	cases(t, run, map[string]func(t *testing.T, p Ports){
		"Create/stores every value":                   cancellationValues,
		"Create/is all or nothing":                    cancellationCut,
		"Update/stores how far one has come":          cancellationUpdate,
		"Update/of one that is gone is ErrNotFound":   cancellationGone,
		"Update/keeps the newest of those that ended": cancellationsKept,
		"Delete/takes one away":                       cancellationDeleted,
		"List/comes newest first":                     cancellationsListed,
	})
}

// aCancellation is one with every value that a new one has, with the ID of a time.
func aCancellation(at time.Time) cancellation.Cancellation {
	return cancellation.Cancellation{
		ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()), CreatedAt: at.UTC(), AppID: uuid.New(), FunctionID: aFunction,
		Slug: "acme-ü", After: time.Date(2, 1, 1, 0, 0, 0, 1, time.UTC), Before: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		If: `event.data.text == "ü'"`, State: cancellation.Active,
	}
}

func create(t *testing.T, p Ports, all ...cancellation.Cancellation) {
	t.Helper()
	for _, c := range all {
		must(t, p.Cancellations.Create(t.Context(), c))
	}
}

func listed(t *testing.T, p Ports) []cancellation.Cancellation {
	t.Helper()
	all, err := p.Cancellations.List(t.Context())
	must(t, err)
	return all
}

// over is the cancellation when it has ended.
func over(c cancellation.Cancellation, at time.Time) cancellation.Cancellation {
	c.State, c.Cursor, c.Cancelled, c.Refused, c.Error, c.EndedAt = cancellation.Failed, ulid.ULID{1, 2, 3}, 7, 8, "disk é", at.UTC()
	return c
}

func cancellationValues(t *testing.T, p Ports) {
	full, bare := aCancellation(p.Now()), cancellation.Cancellation{ID: ulid.ULID{15: 1}, Before: p.Now().UTC(), State: cancellation.Active}
	create(t, p, full, bare, full)
	p = restarted(p)
	for _, want := range []cancellation.Cancellation{full, bare} {
		got, err := p.Cancellations.Find(t.Context(), want.ID)
		must(t, err)
		same(t, got, want)
	}
	same(t, listed(t, p), []cancellation.Cancellation{full, bare})
	if err := p.Cancellations.Create(ended(t), aCancellation(p.Now())); err == nil {
		t.Fatal("created with an ended context")
	}
}

func cancellationCut(t *testing.T, p Ports) {
	c := aCancellation(p.Now())
	cut(t, p, func() error { return p.Cancellations.Create(t.Context(), c) }, func(t *testing.T) {
		_, err := p.Cancellations.Find(t.Context(), c.ID)
		is(t, err, ports.ErrNotFound)
	})
	done := over(c, p.Now())
	create(t, p, c)
	cut(t, p, func() error { return p.Cancellations.Update(t.Context(), done) }, func(t *testing.T) {
		same(t, listed(t, p), []cancellation.Cancellation{c})
	})
}

func cancellationUpdate(t *testing.T, p Ports) {
	first, second := aCancellation(p.Now()), aCancellation(p.Now().Add(time.Second))
	create(t, p, first, second)
	second.Cursor, second.Cancelled = second.ID, 3
	must(t, p.Cancellations.Update(t.Context(), second))
	same(t, listed(t, p), []cancellation.Cancellation{second, first})
	first = over(first, p.Now())
	must(t, p.Cancellations.Update(t.Context(), first))
	same(t, listed(t, restarted(p)), []cancellation.Cancellation{second, first})
}

func cancellationGone(t *testing.T, p Ports) {
	c := aCancellation(p.Now())
	is(t, p.Cancellations.Update(t.Context(), over(c, p.Now())), ports.ErrNotFound)
	is(t, p.Cancellations.Delete(t.Context(), c.ID), ports.ErrNotFound)
	_, err := p.Cancellations.Find(t.Context(), c.ID)
	is(t, err, ports.ErrNotFound)
	same(t, listed(t, p), []cancellation.Cancellation(nil))
}

func cancellationsKept(t *testing.T, p Ports) {
	active := aCancellation(p.Now().Add(-time.Hour))
	create(t, p, active)
	var oldest cancellation.Cancellation
	for n := range cancellation.KeepEnded + 1 {
		c := aCancellation(p.Now().Add(time.Duration(n) * time.Second))
		create(t, p, over(c, p.Now()))
		if n == 0 {
			oldest = c
		}
		if n == cancellation.KeepEnded {
			same(t, len(listed(t, p)), cancellation.KeepEnded+2)
			must(t, p.Cancellations.Update(t.Context(), over(c, p.Now())))
		}
	}
	all := listed(t, p)
	same(t, len(all), cancellation.KeepEnded+1)
	same(t, all[len(all)-1], active)
	_, err := p.Cancellations.Find(t.Context(), oldest.ID)
	is(t, err, ports.ErrNotFound)
}

func cancellationDeleted(t *testing.T, p Ports) {
	first, second := aCancellation(p.Now()), aCancellation(p.Now().Add(time.Second))
	create(t, p, first, second)
	must(t, p.Cancellations.Delete(t.Context(), first.ID))
	is(t, p.Cancellations.Delete(t.Context(), first.ID), ports.ErrNotFound)
	is(t, p.Cancellations.Update(t.Context(), first), ports.ErrNotFound)
	same(t, listed(t, restarted(p)), []cancellation.Cancellation{second})
}

func cancellationsListed(t *testing.T, p Ports) {
	var want []cancellation.Cancellation
	for n := range 3 {
		c := aCancellation(p.Now().Add(time.Duration(n) * time.Second))
		want = append([]cancellation.Cancellation{c}, want...)
	}
	create(t, p, want[1], want[2], want[0])
	same(t, listed(t, p), want)
}
