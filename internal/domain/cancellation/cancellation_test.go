package cancellation

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/run"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

func idAt(at time.Time) ulid.ULID {
	id := ulid.ULID{15: 1}
	_ = id.SetTime(ulid.Timestamp(at))
	return id
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	const full = `{"app_id":"acme","function_id":"acme-fn","started_after":"2026-03-01T11:00:00.5+02:00","started_before":"2026-03-01T12:00:05Z","if":"event.data.n > 1"}`
	got, err := ParseRequest([]byte(full), noon)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		AppID: "acme", Function: "acme-fn", After: time.Date(2026, 3, 1, 9, 0, 0, 5e8, time.UTC),
		Before: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), Expression: "event.data.n > 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	bare, err := ParseRequest([]byte(`{"app_id":"a","function_id":"f","started_before":"2026-03-01T11:00:00Z","started_after":null,"if":null}`), noon)
	if err != nil || !bare.After.IsZero() || bare.Expression != "" {
		t.Errorf("%+v, %v", bare, err)
	}
}

func TestParseRequest_Refuses(t *testing.T) {
	t.Parallel()
	const unreadable = "Invalid cancellation request"
	for body, want := range map[string]string{
		``:                          unreadable,
		`{`:                         unreadable,
		`[]`:                        unreadable,
		`{"app_id":1}`:              unreadable,
		`{"started_before":"soon"}`: unreadable,
		`{} x`:                      unreadable,
		`{}`:                        "app_id is required\nfunction_id is required\nstarted_before is required",
		`null`:                      "app_id is required\nfunction_id is required\nstarted_before is required",
		`{"app_id":"a","function_id":"f","started_after":"2026-03-01T11:00:00Z"}`:                                         "started_before is required",
		`{"app_id":"a","function_id":"f","started_before":"2026-03-01T12:00:05.2Z"}`:                                      "started_before must be in the past",
		`{"app_id":"a","function_id":"f","started_before":"2026-03-01T11:00:00Z","started_after":"2026-03-01T11:00:00Z"}`: "started_after must be before started_before",
		`{"function_id":"f","started_before":"2027-01-01T00:00:00Z","started_after":"2028-01-01T00:00:00Z"}`:              "app_id is required\nstarted_before must be in the past\nstarted_after must be before started_before",
		`{"app_id":"a","function_id":"f","started_before":"2026-03-01T11:00:00Z","if":"event.data.n =="}`:                 "if is invalid: error compiling expression: ERROR: <input>:1:16: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | event.data.n ==\n | ...............^",
	} {
		_, err := ParseRequest([]byte(body), noon)
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", body, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"app_id":"a","function_id":"f","started_before":"2026-03-01T11:00:00Z","if":"event.data.n == 1"}`))
	f.Add([]byte(`{"started_after":"0000-01-01T00:00:00+14:00"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body, noon)
		if err != nil {
			if err.Error() == "" {
				t.Error("no reason")
			}
			return
		}
		if r.AppID == "" || r.Function == "" || !r.After.Before(r.Before) || r.Before.After(noon.Add(Tolerance)) {
			t.Errorf("accepted %+v", r)
		}
		// What is accepted can be shown again.
		if _, err := json.Marshal([]time.Time{r.After, r.Before}); err != nil {
			t.Error(err)
		}
	})
}

func TestCovers(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	at := noon.Truncate(ms)
	for name, c := range map[string]struct {
		after, before time.Time
		want          bool
	}{
		"without a lower bound":             {time.Time{}, at.Add(ms), true},
		"between":                           {at.Add(-ms), at.Add(ms), true},
		"within a millisecond of the upper": {at.Add(-ms), at.Add(1), true},
		"at the upper":                      {at.Add(-ms), at, false},
		"at the lower":                      {at, at.Add(ms), false},
		"within a millisecond of the lower": {at.Add(-1), at.Add(ms), true},
		"just before the lower":             {at.Add(1), at.Add(ms), false},
	} {
		if got := (Cancellation{After: c.after, Before: c.before}).Covers(idAt(at)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestMeets(t *testing.T) {
	t.Parallel()
	state := run.State{Events: []event.Tracked{{Event: event.Event{Name: "e", Data: json.RawMessage(`{"n":1}`)}}, {}}}
	for text, want := range map[string]bool{"event.data.n == 1": true, "event.data.n == 2": false, "now() > date('2026-01-01')": true} {
		program, err := expr.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Meets(program, state, noon); got != want || err != nil {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
	program, err := expr.Compile(`"text"`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Meets(program, state, noon); got || err == nil {
		t.Errorf("a text is %t, %v", got, err)
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	before := noon.Add(time.Second)
	start := Cancellation{ID: idAt(noon), Before: before, State: Active, Cursor: ulid.ULID{1}, Cancelled: 2}
	with := func(edit func(*Cancellation)) Cancellation {
		c := start
		edit(&c)
		return c
	}
	for name, c := range map[string]struct {
		batch Batch
		now   time.Time
		want  Cancellation
		at    time.Time
	}{
		"there are more": {
			Batch{Until: before, Last: ulid.ULID{2}, More: true, Cancelled: 3}, before.Add(time.Second),
			with(func(c *Cancellation) { c.Cursor, c.Cancelled = ulid.ULID{2}, 5 }), before.Add(time.Second),
		},
		"all so far": {
			Batch{Until: noon, Last: ulid.ULID{2}, Cancelled: 1}, noon,
			with(func(c *Cancellation) { c.Cursor, c.Cancelled = ulid.ULID{2}, 3 }), before,
		},
		"all so far, at the bound": {
			Batch{Until: noon}, before,
			start, before,
		},
		"all so far, and the bound has passed meanwhile": {
			Batch{Until: noon}, before.Add(time.Minute),
			start, before.Add(time.Minute),
		},
		"all": {
			Batch{Until: before, Last: ulid.ULID{2}, Cancelled: 1}, before,
			with(func(c *Cancellation) {
				c.Cursor, c.Cancelled, c.State, c.EndedAt = ulid.ULID{2}, 3, Completed, before
			}), before,
		},
		"all but some": {
			Batch{Until: before, Last: ulid.ULID{2}, Refused: 2, Error: "damaged"}, before,
			with(func(c *Cancellation) {
				c.Cursor, c.Refused, c.Error, c.State, c.EndedAt = ulid.ULID{2}, 2, "damaged", Failed, before
			}), before,
		},
	} {
		if diff := cmp.Diff(c.want, start.Advance(c.batch, c.now)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if at := start.Resume(c.batch, c.now); !at.Equal(c.at) {
			t.Errorf("%s: goes on at %s, want %s", name, at, c.at)
		}
	}
}

// TestAdvance_ComesToAnEnd takes a cancellation through batches as the application does: it ends, not before its bound has
// passed, and never waits longer than for that.
func TestAdvance_ComesToAnEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		now := noon.Add(time.Duration(rapid.Int64Range(-5e9, 5e9).Draw(r, "now")))
		c := Cancellation{Before: noon, State: Active}
		left := rapid.IntRange(0, 3).Draw(r, "batches")
		for n := 0; c.State == Active; n++ {
			if n > left+2 {
				r.Fatalf("goes on after %d batches", n)
			}
			b := Batch{Until: c.Until(now), More: n < left, Last: ulid.ULID{byte(n + 1)}, Cancelled: 1}
			if b.Until.After(c.Before) || b.Until.After(now) {
				r.Fatalf("looks at runs until %s at %s", b.Until, now)
			}
			c = c.Advance(b, now)
			if next := c.Resume(b, now); next.Before(now) || next.After(now) && !next.Equal(c.Before) {
				r.Fatalf("waits from %s to %s", now, next)
			} else {
				now = next
			}
		}
		if c.EndedAt.Before(c.Before) || c.State != Completed || c.Cursor == (ulid.ULID{}) {
			r.Fatalf("ended as %+v", c)
		}
	})
}

func TestGiveUp(t *testing.T) {
	t.Parallel()
	got := Cancellation{State: Active, Cancelled: 3}.GiveUp("disk full", noon)
	if diff := cmp.Diff(Cancellation{State: Failed, Cancelled: 3, Error: "disk full", EndedAt: noon}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var sum time.Duration
	for n := range Attempts + 1 {
		if got := Backoff(n); got < time.Second || got > time.Minute || got < Backoff(n-1) {
			t.Errorf("%s after %d", got, n)
		}
		sum += Backoff(n)
	}
	if Backoff(1) != time.Second || Backoff(3) != 4*time.Second || Backoff(1000) != time.Minute || sum > 20*time.Minute {
		t.Errorf("%s, %s, %s, together %s", Backoff(1), Backoff(3), Backoff(1000), sum)
	}
}
