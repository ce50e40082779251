package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/function"
)

func debounce(t testing.TB, period, timeout string) *Debounce {
	t.Helper()
	settings, _ := Compile(withSettings(function.Settings{Debounce: &function.Debounce{Period: period, Timeout: timeout}}))
	return settings.Debounce
}

// firing is a run that a debounce started.
type firing struct {
	at    time.Duration
	event int
}

// offered is an event that comes at a time, with a time of its own.
type offered struct {
	at, ts time.Duration
}

// fire runs a timer over events, at exactly the due times. What comes at the instant in which it is due comes after it.
func fire(d *Debounce, offers []offered) []firing {
	var fired []firing
	var waiting *Debounced
	ring := func(now time.Duration) {
		if waiting != nil && waiting.Ripe(epoch.Add(now)) {
			fired = append(fired, firing{waiting.Due.Sub(epoch), int(waiting.Event.InternalID[15])})
			waiting = nil
		}
	}
	for at, one := range offers {
		ring(one.at)
		next, _ := d.Offer(waiting, idOf(1000+at), withTS(eventOf(at+1, `{}`), epoch.Add(one.ts)), epoch.Add(one.at))
		waiting = &next
	}
	ring(1 << 60)
	return fired
}

func every(spacing, until time.Duration) []offered {
	var offers []offered
	for at := time.Duration(0); at < until; at += spacing {
		offers = append(offers, offered{at, at})
	}
	return offers
}

// TestDebounce_Observed are the events of spec 11 §4.4 and §4.5. The same events win as in the reference, 1.05 s and its latency earlier.
func TestDebounce_Observed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		period, timeout string
		offers          []offered
		want            []firing
	}{
		"alone":                        {"2s", "", []offered{{0, 0}}, []firing{{seconds(2), 1}}},
		"two with more than a period":  {"2s", "", []offered{{0, 0}, {seconds(2.25), seconds(2.25)}}, []firing{{seconds(2), 1}, {seconds(4.25), 2}}},
		"two with less":                {"2s", "", []offered{{0, 0}, {seconds(1.999), seconds(1.999)}}, []firing{{seconds(3.999), 2}}},
		"each second with a timeout":   {"2s", "5s", every(time.Second, 9*time.Second), []firing{{seconds(5), 5}, {seconds(10), 9}}},
		"a timeout that is none":       {"2s", "soon", every(time.Second, 9*time.Second), []firing{{seconds(10), 9}}},
		"a timeout after the period":   {"2s", "1m", []offered{{0, 0}}, []firing{{seconds(2), 1}}},
		"a timeout within the period":  {"2s", "1500ms", []offered{{0, 0}, {seconds(1), seconds(1)}}, []firing{{seconds(1.5), 2}}},
		"each second for 12 s":         {"5s", "10s", every(time.Second, 12*time.Second), []firing{{seconds(10), 10}, {seconds(16), 12}}},
		"an older one does not extend": {"2s", "", []offered{{0, 0}, {seconds(1), seconds(-1)}}, []firing{{seconds(2), 1}}},
		"an equal one replaces":        {"2s", "", []offered{{0, 0}, {seconds(1), 0}}, []firing{{seconds(3), 2}}},
		"the latest of three wins":     {"2s", "", []offered{{0, 0}, {seconds(1), seconds(9)}, {seconds(2), seconds(2)}}, []firing{{seconds(3), 2}}},
		"milliseconds count":           {"1500ms", "", []offered{{0, 0}}, []firing{{seconds(1.5), 1}}},
	} {
		got := fire(debounce(t, c.period, c.timeout), c.offers)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(firing{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDebounce_Offer(t *testing.T) {
	t.Parallel()
	capped := debounce(t, "10s", "1m")
	first, _ := capped.Offer(nil, idOf(100), withTS(eventOf(1, `{}`), epoch), epoch)
	if diff := cmp.Diff(Debounced{ID: idOf(100), Event: withTS(eventOf(1, `{}`), epoch), Due: epoch.Add(10 * time.Second), MaxAt: epoch.Add(time.Minute)}, first); diff != "" {
		t.Errorf("the first: %s", diff)
	}
	second, kept := capped.Offer(&first, idOf(101), withTS(eventOf(2, `{}`), epoch), epoch.Add(55*time.Second))
	want := Debounced{ID: idOf(100), Event: withTS(eventOf(2, `{}`), epoch), Due: epoch.Add(time.Minute), MaxAt: epoch.Add(time.Minute)}
	if diff := cmp.Diff(want, second); diff != "" || !kept {
		t.Errorf("the second, kept %t: %s", kept, diff)
	}
	older, kept := capped.Offer(&second, idOf(102), withTS(eventOf(3, `{}`), epoch.Add(-1e6)), epoch.Add(56*time.Second))
	if diff := cmp.Diff(second, older); diff != "" || kept {
		t.Errorf("an older one, kept %t: %s", kept, diff)
	}
	again, kept := capped.Offer(&second, idOf(102), second.Event, epoch.Add(56*time.Second))
	if diff := cmp.Diff(second, again); diff != "" || !kept {
		t.Errorf("the same one again, kept %t: %s", kept, diff)
	}
	// The timer is late, for example because the server was down.
	late, kept := capped.Offer(&second, idOf(102), withTS(eventOf(4, `{}`), epoch.Add(time.Hour)), epoch.Add(time.Hour))
	if late.ID != second.ID || !late.Due.Equal(second.MaxAt) || late.Event.InternalID != idOf(4) || !kept || !late.Ripe(epoch.Add(time.Hour)) {
		t.Errorf("one that comes when it is due: %+v", late)
	}
	endless := debounce(t, "10s", "")
	joined, _ := endless.Offer(&Debounced{ID: idOf(100), Event: first.Event, Due: epoch}, idOf(103), withTS(eventOf(4, `{}`), epoch.Add(time.Hour)), epoch.Add(time.Hour))
	if want := epoch.Add(time.Hour + 10*time.Second); joined.ID != idOf(100) || !joined.Due.Equal(want) || joined.Ripe(want.Add(-1)) || !joined.Ripe(want) {
		t.Errorf("one that comes when it is due, without a timeout: %+v", joined)
	}
}

// TestDebounce_IsItsModel: the event that waits and when it is due, computed anew from all events since the last firing.
func TestDebounce_IsItsModel(t *testing.T) {
	t.Parallel()
	type arrival struct {
		event event.Tracked
		at    time.Time
	}
	rapid.Check(t, func(r *rapid.T) {
		d := &Debounce{
			Period:  time.Duration(rapid.Int64Range(1, 5000).Draw(r, "period")),
			Timeout: time.Duration(rapid.Int64Range(0, 20000).Draw(r, "timeout")),
		}
		model := func(arrivals []arrival) (best arrival, due time.Time) {
			best = arrivals[0]
			for _, one := range arrivals[1:] {
				if one.event.TS >= best.event.TS {
					best = one
				}
			}
			due = best.at.Add(d.Period)
			if limit := arrivals[0].at.Add(d.Timeout); d.Timeout > 0 && due.After(limit) {
				due = limit
			}
			return best, due
		}
		var waiting *Debounced
		var arrivals []arrival
		now := epoch
		for n := range rapid.IntRange(1, 40).Draw(r, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 4000).Draw(r, "pause")))
			if late := rapid.Bool().Draw(r, "the timer is late"); !late && waiting != nil && waiting.Ripe(now) {
				waiting, arrivals = nil, nil
			}
			e := withTS(eventOf(n+1, `{}`), epoch.Add(time.Duration(rapid.Int64Range(-3, 3).Draw(r, "ts"))*time.Millisecond))
			before := waiting
			next, kept := d.Offer(waiting, idOf(1000+n), e, now)
			arrivals = append(arrivals, arrival{e, now})
			best, due := model(arrivals)
			if next.Event.InternalID != best.event.InternalID || !next.Due.Equal(due) || kept != (best.event.InternalID == e.InternalID) {
				r.Fatalf("after %d events %+v, kept %t, want event %s due %s", len(arrivals), next, kept, best.event.InternalID, due)
			}
			if before != nil && (next.ID != before.ID || !next.MaxAt.Equal(before.MaxAt)) || before == nil && next.ID != idOf(1000+n) {
				r.Fatalf("%+v became %+v", before, next)
			}
			if d.Timeout > 0 && next.Due.Sub(arrivals[0].at) > d.Timeout || next.Due.Sub(now) > d.Period {
				r.Fatalf("due %s, first %s", next.Due, arrivals[0].at)
			}
			waiting = &next
		}
	})
}
