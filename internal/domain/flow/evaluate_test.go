package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// keyed has every setting with the same key expression, but for a batch, which would hide the others. It may not compile.
func keyed(expression string) function.Settings {
	return function.Settings{
		RateLimit: &function.RateLimit{Limit: 1, Period: "1h", Key: expression},
		Throttle:  &function.Throttle{Limit: 1, Period: function.Duration(time.Second), Key: expression},
		Singleton: &function.Singleton{Key: expression},
		Priority:  &function.Priority{Run: &expression},
		Concurrency: &function.Concurrency{
			Step: []function.StepLimit{{Limit: 1, Key: expression, Scope: function.ScopeAccount, Hash: "h"}},
			Run:  []function.RunLimit{{Limit: 1, Key: expression}},
		},
	}
}

// TestEvaluate_Keys is what each setting makes of a value (spec 11 §1.2). Hashes are those of the values' texts, which have vectors.
func TestEvaluate_Keys(t *testing.T) {
	t.Parallel()
	const (
		unkeyed = sampleText + "-"
		none    = "none"
	)
	for _, c := range []struct {
		expression, data string
		rate, singleton  string // the hash, none where the setting does not apply
		debounce         string
		hashed           string // the text that batch, throttle and concurrency hash
		factor           int
		faults           int // of those that are scheduled without a rate limit
	}{
		{`event.data.k`, `{"k":42}`, "1o60h1nx1t7zt", "1o60h1nx1t7zt", "42", "42", 42, 0},
		{`event.data.k`, `{"k":"42"}`, "1o60h1nx1t7zt", "1o60h1nx1t7zt", "42", "42", 0, 1},
		{`event.data.k`, `{"k":1}`, "2skj0thvf2ifo", "2skj0thvf2ifo", "1", "1", 1, 0},
		{`event.data.k`, `{"k":"1"}`, "2skj0thvf2ifo", "2skj0thvf2ifo", "1", "1", 0, 1},
		{`event.data.k`, `{"k":1000000}`, "21xnv3zwxkjci", "21xnv3zwxkjci", "1e+06", "1e+06", MaxFactor, 0},
		{`event.data.k`, `{"k":123456789}`, "qaz5gljuzc6e", "qaz5gljuzc6e", "1.23456789e+08", "1.23456789e+08", MaxFactor, 0},
		{`event.data.k`, `{"k":{"name":"a","id":1}}`, "3fbu1nuhn3tvy", "3fbu1nuhn3tvy", "map[id:1 name:a]", "map[id:1 name:a]", 0, 1},
		{`event.data.k`, `{"k":["a","b"]}`, "279m613uh4oer", "279m613uh4oer", "[a b]", "[a b]", 0, 1},
		{`event.data.k`, `{"k":null}`, "1a3loudw8i25", "1a3loudw8i25", "NULL_VALUE", "NULL_VALUE", 0, 1},
		{`event.data.k`, `{"k":true}`, "3a4vab01wq7uy", "3a4vab01wq7uy", "true", "true", 0, 1},
		{`event.data.k`, `{"k":false}`, none, none, "false", "false", 0, 1},
		{`event.data.k`, `{"k":"false"}`, "1nt4mu0skse4a", "1nt4mu0skse4a", "false", "false", 0, 1},
		{`event.data.k`, `{"k":""}`, "3mzsru4d4ty1l", "3mzsru4d4ty1l", "", "", 0, 1},
		{`event.data.k`, `{}`, none, none, "false", "false", 0, 1},
		{`event.data.k == "x"`, `{"k":"x"}`, "3a4vab01wq7uy", "3a4vab01wq7uy", "true", "true", 0, 1},
		{`event.data.k == "x"`, `{"k":"y"}`, none, none, "false", "false", 0, 1},
		{`int(event.data.k)`, `{"k":42}`, "1o60h1nx1t7zt", "1o60h1nx1t7zt", "42", "42", 42, 0},
		{`bytes(event.data.k)`, `{"k":"abc"}`, "11mo2jbx36f89", "11mo2jbx36f89", "[97 98 99]", "[97 98 99]", 0, 1},
		{`event.data["k"]`, `{}`, "could not get constraints for schedule: could not get rate limit key: rate limit expression evaluation failed: ", none, "<invalid>", "false", 0, 5},
		{`user.k`, `{}`, "could not get constraints for schedule: could not get rate limit key: rate limit expression evaluation failed: ", none, "<invalid>", "false", 0, 4},
	} {
		t.Run(c.expression+" of "+c.data, func(t *testing.T) {
			t.Parallel()
			e := eventOf(1, c.data).Event
			settings := keyed(c.expression)
			full, broken := Compile(withSettings(settings))

			rated := full.Evaluate(e, FromEvent, epoch)
			switch {
			case strings.HasPrefix(c.rate, "could not"):
				if rated.Err == nil || !strings.HasPrefix(rated.Err.Error(), c.rate) {
					t.Errorf("rate limit: %v", rated.Err)
				}
			case c.rate == none:
				if rated.RateLimit != nil || rated.Err != nil {
					t.Errorf("rate limit %v, %v, want none", rated.RateLimit, rated.Err)
				}
			default:
				want := &BucketKey{Hash: ids.X36(c.expression), Key: unkeyed + c.rate}
				if diff := cmp.Diff(want, rated.RateLimit); diff != "" {
					t.Errorf("rate limit: %s", diff)
				}
			}

			settings.RateLimit = nil
			run, _ := Compile(withSettings(settings))
			v := run.Evaluate(e, FromEvent, epoch)
			faults := v.Faults
			v.Faults = nil
			locked := ""
			if c.singleton != none {
				locked = unkeyed + c.singleton
			}
			runValue := ids.X36(c.hashed)
			if c.debounce == "<invalid>" {
				runValue = ids.X36("")
			}
			want := Evaluated{
				From: FromEvent, Factor: c.factor, SingletonKey: locked,
				Throttle:    &BucketKey{Hash: ids.X36(c.expression), Key: "1wuy30g4tx7s8-" + ids.X36(c.hashed)},
				Concurrency: []ConcurrencyKey{{Key: "a:" + ids.AccountIDText + ":" + ids.X36(c.hashed), Hash: "h", Limit: 1}},
				Run:         &RunKey{ID: semaphore(sampleFunction, c.expression), Value: runValue},
			}
			if diff := cmp.Diff(want, v); diff != "" {
				t.Error(diff)
			}
			if len(faults) != c.faults {
				t.Errorf("faults %v, want %d", faults, c.faults)
			}

			debounced, _ := Compile(withSettings(function.Settings{Debounce: &function.Debounce{Period: "2s", Key: c.expression}}))
			if v := debounced.Evaluate(e, FromEvent, epoch); !v.Debounced || v.DebounceKey != c.debounce || (c.debounce == "<invalid>") != (len(v.Faults) == 1) {
				t.Errorf("debounce %+v", v)
			}

			batched, _ := Compile(withSettings(function.Settings{Batch: &function.Batch{MaxSize: 2, Timeout: "2s", Key: c.expression}}))
			v = batched.Evaluate(e, FromEvent, epoch)
			if c.debounce == "<invalid>" {
				if v.Batched || v.Err == nil || !strings.HasPrefix(v.Err.Error(), "could not retrieve batch key: invalid expression: ") {
					t.Errorf("batch %+v", v)
				}
			} else if !v.Batched || v.BatchKey != ids.BatchKeyHash(c.hashed) {
				t.Errorf("batch %+v", v)
			}
			if strings.HasPrefix(c.expression, "user") != (len(broken) > 0) {
				t.Errorf("faults of compiling: %v", broken)
			}
		})
	}
}

// TestEvaluate_Examples are the keys that spec 11 and spec 09 §5 write out.
func TestEvaluate_Examples(t *testing.T) {
	t.Parallel()
	settings := stored(t, `{
		"rateLimit": {"limit": 5, "period": "1m", "key": "event.data.userId"},
		"throttle": {"limit": 1, "period": "5s", "key": "event.data.customerId"},
		"concurrency": {"fn": [{"limit": 1, "key": "event.data.customerId"}], "step": [
			{"limit": 1, "key": "event.data.one"}, {"limit": 2, "scope": "account", "key": "event.data.account"}]}
	}`)
	e := eventOf(1, `{"userId":42,"customerId":"customer1","one":"1","account":99}`).Event
	v := compile(t, settings).Evaluate(e, FromEvent, epoch)
	const cs = "{cs}:a:" + ids.AccountIDText
	for name, c := range map[string]struct{ got, want string }{
		"rate limit":   {v.RateLimit.Key, sampleText + "-1o60h1nx1t7zt"},
		"its state":    {cs + ":rl:" + v.RateLimit.State(sampleFunction), "{cs}:a:00000000-0000-4000-a000-000000000000:rl:f:" + sampleText + "<27q1go5bd4m02:" + sampleText + "-1o60h1nx1t7zt>"},
		"throttle":     {v.Throttle.Key, "1wuy30g4tx7s8-1dudf5fsf82j2"},
		"its hash":     {v.Throttle.Hash, "3ar5pw91scx3a"},
		"throttle at":  {v.Throttle.State(sampleFunction), "f:" + sampleText + "<3ar5pw91scx3a:1wuy30g4tx7s8-1dudf5fsf82j2>"},
		"function key": {v.Concurrency[0].Key, "f:" + sampleText + ":2skj0thvf2ifo"},
		"account key":  {v.Concurrency[1].Key, "a:00000000-0000-4000-a000-000000000000:32yb9mloepbmo"},
		"run limit":    {v.Run.ID + ":" + v.Run.Value, "fnkey:1ie5bhw7313a1:1dudf5fsf82j2"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
	cust := compile(t, settings).Evaluate(eventOf(1, `{"customerId":"cust1"}`).Event, FromEvent, epoch)
	if want := "1wuy30g4tx7s8-vsvwd5b82378"; cust.Throttle.Key != want {
		t.Errorf("throttle %s, want %s", cust.Throttle.Key, want)
	}
	if got := compile(t, stored(t, `{"batchEvents": {"maxSize": 2, "timeout": "5s", "key": "event.data.u"}}`)).
		Evaluate(eventOf(1, `{"u":"user-1"}`).Event, FromEvent, epoch).BatchKey; got != "xsKJ5J6cBbIUWGA4e3O8sY30P7CaHkpKlxPHbIi7VBs=" {
		t.Errorf("batch %s", got)
	}
}

func TestEvaluate_WithoutKeys(t *testing.T) {
	t.Parallel()
	settings := stored(t, `{
		"rateLimit": {"limit": 5, "period": "1m"}, "throttle": {"limit": 1, "period": "5s"}, "singleton": {"mode": "skip"},
		"concurrency": {"fn": [{"limit": 1}], "step": [{"limit": 1}]}
	}`)
	want := Evaluated{
		RateLimit: &BucketKey{Key: sampleText}, Throttle: &BucketKey{Hash: "3mzsru4d4ty1l", Key: "1wuy30g4tx7s8"},
		SingletonKey: sampleText, Run: &RunKey{ID: "fn:" + sampleText},
	}
	got := compile(t, settings).Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if state := got.RateLimit.State(sampleFunction); state != "f:"+sampleText {
		t.Errorf("state %s", state)
	}
	debounced := compile(t, stored(t, `{"debounce": {"period": "5s"}}`)).Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch)
	if diff := cmp.Diff(Evaluated{Debounced: true, DebounceKey: sampleText}, debounced); diff != "" {
		t.Error(diff)
	}
	batched := compile(t, stored(t, `{"batchEvents": {"maxSize": 2, "timeout": "5s"}}`)).Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch)
	if diff := cmp.Diff(Evaluated{Batched: true}, batched); diff != "" {
		t.Error(diff)
	}
	nothing := compile(t, function.Settings{}).Evaluate(eventOf(1, `{`).Event, FromRerun, epoch)
	if diff := cmp.Diff(Evaluated{From: FromRerun}, nothing); diff != "" {
		t.Error(diff)
	}
}

// TestEvaluate_OfOrigins: what does not count for an origin is not evaluated, so that its faults do not matter either.
func TestEvaluate_OfOrigins(t *testing.T) {
	t.Parallel()
	settings := function.Settings{
		Batch:     &function.Batch{MaxSize: 2, Timeout: "2s"},
		Debounce:  &function.Debounce{Period: "2s"},
		RateLimit: &function.RateLimit{Limit: 1, Period: "1h"},
		Singleton: &function.Singleton{},
	}
	type seen struct{ batch, rate, debounce, singleton bool }
	for from, want := range map[Origin]seen{
		FromEvent:    {batch: true},
		FromRequest:  {rate: true, debounce: true},
		FromRerun:    {debounce: true},
		FromCron:     {rate: true, debounce: true},
		FromDebounce: {singleton: true},
		FromBatch:    {singleton: true},
	} {
		v := compile(t, settings).Evaluate(eventOf(1, `{}`).Event, from, epoch)
		if got := (seen{v.Batched, v.RateLimit != nil, v.Debounced, v.SingletonKey != ""}); got != want || v.From != from {
			t.Errorf("origin %d: %+v, want %+v", from, got, want)
		}
	}
	settings.RateLimit.Key = "user.x"
	broken, _ := Compile(withSettings(settings))
	for from, fails := range map[Origin]bool{FromEvent: false, FromRequest: true, FromCron: true, FromRerun: false, FromDebounce: false, FromBatch: false} {
		if v := broken.Evaluate(eventOf(1, `{}`).Event, from, epoch); (v.Err != nil) != fails {
			t.Errorf("origin %d: %v", from, v.Err)
		}
	}
}

// TestEvaluate_BatchCondition: an event that does not meet it, and one on which it fails, runs alone, counted by the rate limit.
func TestEvaluate_BatchCondition(t *testing.T) {
	t.Parallel()
	settings := function.Settings{
		Batch:     &function.Batch{MaxSize: 2, Timeout: "2s", If: `event.data.a > 1`},
		RateLimit: &function.RateLimit{Limit: 1, Period: "1h"},
	}
	for data, want := range map[string]struct {
		batched bool
		faults  int
	}{`{"a":2}`: {true, 0}, `{"a":1}`: {false, 0}, `{}`: {false, 0}, `{"a":"x"}`: {false, 1}} {
		v := compile(t, settings).Evaluate(eventOf(1, data).Event, FromEvent, epoch)
		if v.Batched != want.batched || (v.RateLimit == nil) != want.batched || len(v.Faults) != want.faults {
			t.Errorf("%s: %+v", data, v)
		}
	}
	settings.Batch.If = "user.x"
	broken, _ := Compile(withSettings(settings))
	if v := broken.Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch); v.Batched || len(v.Faults) != 1 || !strings.HasPrefix(v.Faults[0].Error(), "batchEvents.if: ") {
		t.Errorf("a condition that does not compile: %+v", v)
	}
}

// TestEvaluate_BoundsKeys: a key that is kept as its text must not be as long as an event.
func TestEvaluate_BoundsKeys(t *testing.T) {
	t.Parallel()
	settings := compile(t, stored(t, `{"debounce": {"period": "5s", "key": "event.data.k"}}`))
	key := func(value string) string {
		return settings.Evaluate(eventOf(1, `{"k":"`+value+`"}`).Event, FromEvent, epoch).DebounceKey
	}
	longest := strings.Repeat("x", maxKeyText)
	if key(longest) != longest {
		t.Error("a key of the length was changed")
	}
	if got := key(longest + "x"); len(got) != len("sha256:")+64 || !strings.HasPrefix(got, "sha256:") || got == key(longest+"y") || got != key(longest+"x") {
		t.Errorf("a longer one is %s", got)
	}
}

// TestEvaluateSubject_SharesTheEvent: what is decoded once is enough for all functions, and now() is the subject's.
func TestEvaluateSubject_SharesTheEvent(t *testing.T) {
	t.Parallel()
	subject := expr.NewSubject(event.Event{ID: "e", Data: []byte(`{"k":"a"}`)}, epoch)
	for _, expression := range []string{"event.data.k", "now()"} {
		settings := compile(t, function.Settings{Debounce: &function.Debounce{Period: "2s", Key: expression}})
		alone := settings.Evaluate(event.Event{ID: "e", Data: []byte(`{"k":"a"}`)}, FromCron, epoch)
		if diff := cmp.Diff(alone, settings.EvaluateSubject(subject, FromCron)); diff != "" || len(alone.Faults) > 0 {
			t.Errorf("%s: %s %v", expression, diff, alone.Faults)
		}
	}
}
