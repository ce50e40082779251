package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type clock struct{ testkit.Clock }

func (clock) Now() time.Time { return now }

// counter makes the IDs 1, 2, 3 of each instant.
type counter struct{ made byte }

func (c *counter) ULID(at time.Time) ulid.ULID {
	c.made++
	id := ulid.ULID{15: c.made}
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic(err)
	}
	return id
}

func setup() (*Ingest, *mem.Backend) {
	backend := mem.New(clock{})
	return New(backend, clock{}, &counter{}), backend
}

func named(names ...string) []event.Event {
	events := make([]event.Event, len(names))
	for n, name := range names {
		events[n] = event.Event{Name: name, Data: json.RawMessage(`{}`), TS: 1}
	}
	return events
}

func aSeed(t testing.TB, header string) *ids.Seed {
	t.Helper()
	seed, ok := ids.ParseSeed(header)
	if !ok {
		t.Fatalf("%q is no seed", header)
	}
	return &seed
}

func TestAccept_StoresEventsWithTheirIdentity(t *testing.T) {
	t.Parallel()
	ingest, backend := setup()
	events := named("a", "b")
	events[1].ID = "own"
	got, err := ingest.Accept(t.Context(), events, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	first, second := (&counter{0}).ULID(now), (&counter{1}).ULID(now)
	if diff := cmp.Diff([]ulid.ULID{first, second}, got); diff != "" {
		t.Errorf("IDs -want +got:\n%s", diff)
	}
	want := []event.Tracked{
		{InternalID: first, ReceivedAt: now, Event: event.Event{ID: first.String(), Name: "a", Data: json.RawMessage(`{}`), TS: 1}},
		{InternalID: second, ReceivedAt: now, Event: event.Event{ID: "own", Name: "b", Data: json.RawMessage(`{}`), TS: 1}},
	}
	if diff := cmp.Diff(want, backend.TryTake(9)); diff != "" {
		t.Errorf("stored -want +got:\n%s", diff)
	}
	if events[0].ID != "" {
		t.Error("the caller's events were changed")
	}
}

// The vectors of spec 03 §8.1.
func TestAccept_SeededIDsAreThoseOfTheSpec(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seed  string
		first int
		count int
		want  []string
	}{
		"an invocation":     {"1743130137367,eii2YKXRVTJPuA==", 0, 1, []string{"01JQDAE4RQF8MBCR55T5AK4KXR"}},
		"two events":        {"1743130137367,eii2YKXRVTJPuA==", 1, 2, []string{"01JQDAE4RQF8MBCR55T5AK4KXS", "01JQDAE4RQF8MBCR55T5AK4KXT"}},
		"the last of 5000":  {"1743130137367,eii2YKXRVTJPuA==", 4999, 2, []string{"01JQDAE4RQF8MBCR55T5AK4RSZ", "01JQDAE4RQF8MBCR55T5AK4RT0"}},
		"wraps around at 0": {"1743130137367,AAECAwQF/////w==", 0, 2, []string{"01JQDAE4RQ000G40R40QZZZZZZ", "01JQDAE4RQ000G40R40M000000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ingest, backend := setup()
			events := named("a", "b")[:c.count]
			got, err := ingest.Accept(t.Context(), events, aSeed(t, c.seed), c.first)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, id := range got {
				text = append(text, id.String())
			}
			if diff := cmp.Diff(c.want, text); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for n, e := range backend.AllEvents() {
				if e.ID != c.want[n] || e.InternalID != got[n] {
					t.Errorf("stored %+v, want the seeded ID for both", e)
				}
			}
		})
	}
}

func TestAccept_ARequestDeliveredAgainIsStoredOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ingest, backend := setup()
		names := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,4}`), 1, 5).Draw(t, "names")
		seed := ids.Seed{MS: rapid.Int64Range(1, 1<<47).Draw(t, "ms"), Entropy: [10]byte(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "entropy"))}
		var first []ulid.ULID
		for n := range rapid.IntRange(1, 3).Draw(t, "deliveries") {
			got, err := ingest.Accept(context.Background(), named(names...), &seed, 1)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Fatalf("delivery %d -first +this:\n%s", n+1, diff)
			}
		}
		if got := len(backend.AllEvents()); got != len(names) {
			t.Fatalf("%d events stored, want %d", got, len(names))
		}
	})
}

func TestAccept_ASeedBeyondULIDsIsIgnored(t *testing.T) {
	t.Parallel()
	ingest, backend := setup()
	got, err := ingest.Accept(t.Context(), named("a"), &ids.Seed{MS: 1 << 48}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&counter{}).ULID(now); got[0] != want || backend.AllEvents()[0].ID != want.String() {
		t.Errorf("ID is %s, want a new one", got[0])
	}
}

func TestAccept_KeepsTheSendersIDBesideASeed(t *testing.T) {
	t.Parallel()
	ingest, backend := setup()
	events := named("a")
	events[0].ID = "own"
	got, err := ingest.Accept(t.Context(), events, aSeed(t, "1743130137367,eii2YKXRVTJPuA=="), 1)
	if err != nil {
		t.Fatal(err)
	}
	if e := backend.AllEvents()[0]; e.ID != "own" || e.InternalID != got[0] || got[0].String() != "01JQDAE4RQF8MBCR55T5AK4KXS" {
		t.Errorf("stored %+v", e)
	}
}

func TestAccept_OfNothing(t *testing.T) {
	t.Parallel()
	ingest, _ := setup()
	got, err := ingest.Accept(t.Context(), nil, nil, 1)
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAccept_SaysWhenTheLogRefuses(t *testing.T) {
	t.Parallel()
	ingest, backend := setup()
	backend.Close()
	if got, err := ingest.Accept(t.Context(), named("a"), nil, 1); !errors.Is(err, ports.ErrClosed) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
