package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

// TestLimitOf: each constraint is the limit that it was made of, by the name of its counter.
func TestLimitOf(t *testing.T) {
	t.Parallel()
	const keyed = `{"concurrency": [
		{"limit": 3, "key": "event.data.userId", "scope": "env"}, {"limit": 2, "key": "event.data.customerId", "scope": "account"}]}`
	for name, c := range map[string]struct {
		config   string
		defaults Defaults
		want     []Limit
	}{
		"the defaults": {`{}`, Defaults{Account: 10, Function: 5}, []Limit{{Kind: LimitAccount, Number: 10}, {Kind: LimitFunction, Number: 5}}},
		"a function's": {`{"concurrency": [{"limit": 4}]}`, Defaults{}, []Limit{{Kind: LimitFunction, Number: 4}}},
		"keys of scopes": {keyed, Defaults{}, []Limit{
			{Kind: LimitKey, Scope: function.ScopeAccount, Expression: "event.data.customerId", Number: 2},
			{Kind: LimitKey, Scope: function.ScopeEnv, Expression: "event.data.userId", Number: 3},
		}},
		"a key of a function": {`{"concurrency": [{"limit": 1, "key": "event.data.userId"}]}`, Defaults{}, []Limit{
			{Kind: LimitKey, Scope: function.ScopeFunction, Expression: "event.data.userId", Number: 1},
		}},
	} {
		settings := compile(t, stored(t, c.config))
		values := settings.Evaluate(eventOf(1, `{"userId":"u","customerId":"c"}`).Event, FromEvent, epoch)
		keys := values.Keys()
		var concurrency []ConcurrencyKey
		if keys != nil {
			concurrency = keys.Concurrency
		}
		var got []Limit
		for _, one := range settings.Constraints(concurrency, c.defaults) {
			got = append(got, settings.LimitOf(one, keys))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestLimitOf_WhatItsKeysDoNotName(t *testing.T) {
	t.Parallel()
	settings := compile(t, function.Settings{})
	counter := Constraint{Key: "f:" + sampleText + "<hash:value>", Limit: 2}
	want := Limit{Kind: LimitKey, Number: 2}
	for _, keys := range []*Keys{nil, {}} {
		if diff := cmp.Diff(want, settings.LimitOf(counter, keys)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestLimitOf_Runs(t *testing.T) {
	t.Parallel()
	for expression, data := range map[string]string{"": `{}`, "event.data.userId": `{"userId":"u"}`} {
		settings := compile(t, function.Settings{Concurrency: &function.Concurrency{Run: []function.RunLimit{{Limit: 6, Key: expression}}}})
		values := settings.Evaluate(eventOf(1, data).Event, FromEvent, epoch)
		keys := values.Keys()
		one, limited := settings.RunConstraint(keys.Run)
		want := Limit{Kind: LimitRuns, Expression: expression, Number: 6}
		if diff := cmp.Diff(want, settings.LimitOf(one, keys)); diff != "" || !limited {
			t.Errorf("%q: %t, -want +got:\n%s", expression, limited, diff)
		}
	}
}

func TestThrottle_Limit(t *testing.T) {
	t.Parallel()
	settings := compile(t, stored(t, `{"throttle": {"limit": 2, "burst": 1, "period": "5s", "key": "event.data.userId"}}`))
	want := Limit{Kind: LimitThrottle, Expression: "event.data.userId", Number: 3, Every: 2500 * time.Millisecond}
	for held, debt := range map[int]time.Duration{0: 0, 1: 1, 2: 5 * time.Second, 3: 5*time.Second + 1} {
		want.Held = held
		if diff := cmp.Diff(want, settings.Throttle.Limit(epoch.Add(debt), epoch)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", debt, diff)
		}
	}
	plain := compile(t, stored(t, `{"throttle": {"limit": 1, "period": "5s"}}`))
	if got := plain.Throttle.Limit(time.Time{}, epoch); got.Expression != "" || got.Held != 0 {
		t.Errorf("without a key it is %+v", got)
	}
}

func TestLimitKind_String(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for kind := range LimitKind(LimitKinds) {
		names[kind.String()] = true
	}
	if len(names) != 5 {
		t.Errorf("the kinds are called %v", names)
	}
}

// TestCapacity_Refuses: it is what TryTake would refuse, without taking.
func TestCapacity_Refuses(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	both := []Constraint{{"a", 1}, {"b", 2}}
	if _, refused := c.Refuses(both); refused || c.Held("a") != 0 {
		t.Error("what is free is refused, or was taken")
	}
	c.Hold([]Constraint{{"a", 1}})
	if got, refused := c.Refuses(both); !refused || got != (Constraint{"a", 1}) {
		t.Errorf("refused %v, %t", got, refused)
	}
	c.SetLimit("b", 0)
	if got, refused := c.Refuses(both); !refused || got != (Constraint{"b", 0}) {
		t.Errorf("refused %v, %t", got, refused)
	}
	if blocked, ok := c.TryTake(both); ok || blocked != "b" {
		t.Errorf("TryTake is refused %q", blocked)
	}
}
