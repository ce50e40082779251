package flow

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ingothq/ingot/internal/domain/expr"
	"github.com/ingothq/ingot/internal/domain/function"
)

// keys compares key expressions by their text and whether they can be used.
var keys = cmp.Options{
	cmp.Transformer("key", func(k *key) string {
		switch {
		case k == nil:
			return "none"
		case k.err != nil:
			return "broken " + k.text
		}
		return k.text
	}),
	cmp.Transformer("program", func(p *expr.Program) string { return p.String() }),
	cmp.AllowUnexported(Priority{}, Batch{}, Debounce{}, Singleton{}, RateLimit{}, Throttle{}, StepLimit{}, RunLimit{}, Bucket{}),
	cmpopts.EquateErrors(),
}

func TestCompile_ReadsEverythingOnce(t *testing.T) {
	t.Parallel()
	got := compile(t, stored(t, `{
		"batchEvents": {"maxSize": 5, "timeout": "4s", "key": "event.data.u", "if": "event.data.ok == true"},
		"debounce": {"period": "1d12h", "key": "event.data.d", "timeout": "1w"},
		"singleton": {"key": "event.data.s", "mode": "CANCEL"},
		"rateLimit": {"limit": 25, "period": "500ms", "key": "event.data.userId"},
		"throttle": {"burst": 2, "key": "event.data.t", "limit": 3, "period": "1500ms"},
		"priority": {"run": "event.data.p"},
		"concurrency": {"fn": [{"limit": 7, "key": "event.data.customerId"}], "step": [
			{"limit": 4, "scope": "env", "key": "event.data.userId"}, {"limit": 2}, {"limit": 0}]}
	}`))
	want := &Settings{
		Function:  sampleFunction,
		Batch:     &Batch{MaxSize: 5, Timeout: 4 * time.Second, key: compileKey("event.data.u"), when: compileKey("event.data.ok == true")},
		Debounce:  &Debounce{Period: 36 * time.Hour, Timeout: 168 * time.Hour, key: compileKey("event.data.d")},
		Singleton: &Singleton{Cancels: true, key: compileKey("event.data.s")},
		RateLimit: &RateLimit{Bucket: NewBucket(25, 2, 500*time.Millisecond), key: compileKey("event.data.userId")},
		Throttle:  &Throttle{Bucket: NewBucket(3, 4, 1500*time.Millisecond), Hash: compileKey("event.data.t").hash(), key: compileKey("event.data.t")},
		Priority:  &Priority{program: compileKey("event.data.p").program},
		Steps: []StepLimit{
			{Limit: 2, Scope: function.ScopeFunction},
			{Limit: 4, Scope: function.ScopeEnv, Hash: "27q1go5bd4m02", key: compileKey("event.data.userId")},
		},
		Run: &RunLimit{Limit: 7, ID: "fnkey:1ie5bhw7313a1", key: compileKey("event.data.customerId")},
	}
	if diff := cmp.Diff(want, got, keys); diff != "" {
		t.Error(diff)
	}
	if got.Empty() {
		t.Error("all settings together are empty")
	}
}

func TestCompile_OfNothing(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no settings":             `{}`,
		"a batch of one":          `{"batchEvents": {"maxSize": 1, "timeout": "5s"}}`,
		"a batch without timeout": `{"batchEvents": {"maxSize": 10, "timeout": ""}}`,
		"no expression":           `{"priority": {"run": null}}`,
		"limit 0 without key":     `{"concurrency": [{"limit": 0}]}`,
		"negative limit":          `{"concurrency": [{"limit": -3}]}`,
		"workers only":            `{"concurrency": {"fn": [{"limit": 100, "scope": "app"}]}}`,
	} {
		got := compile(t, stored(t, config))
		if diff := cmp.Diff(&Settings{Function: sampleFunction}, got, keys); diff != "" || !got.Empty() {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestCompile_OfWhatCannotBeUsed: each fault is reported under its setting and leaves what is said of it.
func TestCompile_OfWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const second = function.Duration(time.Second)
	broken := compileKey("user.x")
	for name, c := range map[string]struct {
		settings function.Settings
		faults   []string
		want     Settings
	}{
		"batch": {
			function.Settings{Batch: &function.Batch{MaxSize: 2, Timeout: "1d", Key: "user.x", If: "user.x"}},
			[]string{"batchEvents.timeout: time: unknown unit", "batchEvents.key: error compiling", "batchEvents.if: error compiling"},
			Settings{Batch: &Batch{MaxSize: 2, Timeout: time.Minute, key: broken, when: broken}},
		},
		"negative batch timeout": {
			function.Settings{Batch: &function.Batch{MaxSize: 2, Timeout: "-1s"}}, nil, Settings{Batch: &Batch{MaxSize: 2}},
		},
		"debounce": {
			function.Settings{Debounce: &function.Debounce{Period: "2s", Timeout: "soon", Key: "user.x"}},
			[]string{"debounce.timeout: time: invalid duration", "debounce.key: error compiling"},
			Settings{Debounce: &Debounce{Period: 2 * time.Second, key: broken}},
		},
		"debounce period":    {function.Settings{Debounce: &function.Debounce{Period: "x"}}, []string{"debounce.period: time: invalid duration"}, Settings{}},
		"no debounce period": {function.Settings{Debounce: &function.Debounce{Period: "0s"}}, []string{"debounce.period: must be positive"}, Settings{}},
		"singleton": {
			function.Settings{Singleton: &function.Singleton{Key: "user.x"}}, []string{"singleton.key: error compiling"}, Settings{Singleton: &Singleton{key: broken}},
		},
		"rate limit": {
			function.Settings{RateLimit: &function.RateLimit{Limit: 0, Period: "1s", Key: "user.x"}},
			[]string{"rateLimit.key: error compiling"},
			Settings{RateLimit: &RateLimit{Bucket: NewBucket(1, 0, time.Second), key: broken}},
		},
		"no rate limit period": {function.Settings{RateLimit: &function.RateLimit{Limit: 1, Period: "0s"}}, []string{"rateLimit.period: must be positive"}, Settings{}},
		"throttle": {
			function.Settings{Throttle: &function.Throttle{Limit: 0, Burst: -1, Period: second, Key: "user.x"}},
			[]string{"throttle.key: error compiling"},
			Settings{Throttle: &Throttle{Bucket: NewBucket(1, 0, time.Second), Hash: broken.hash(), key: broken}},
		},
		"throttle of everything": {
			function.Settings{Throttle: &function.Throttle{Limit: math.MaxInt, Burst: math.MaxInt, Period: second}}, nil,
			Settings{Throttle: &Throttle{Bucket: NewBucket(math.MaxInt, math.MaxInt, time.Second), Hash: "3mzsru4d4ty1l"}},
		},
		"no throttle period": {function.Settings{Throttle: &function.Throttle{Limit: 1}}, []string{"throttle.period: must be positive"}, Settings{}},
		"priority":           {function.Settings{Priority: &function.Priority{Run: text("user.x")}}, []string{"priority.run: error compiling"}, Settings{}},
		"steps": {
			function.Settings{Concurrency: &function.Concurrency{Step: []function.StepLimit{
				{Limit: 1, Scope: function.ScopeEnv}, {Limit: 0, Key: "event.data.a"}, {Limit: -1, Key: "event.data.a"},
				{Limit: 2, Key: "user.x"}, {Limit: 3, Key: "event.data.a"}, {Limit: 4},
			}}},
			[]string{
				"concurrency: this scope needs a key", "concurrency: concurrency limit must be > 0", "concurrency: concurrency limit must be > 0",
				"concurrency.key: error compiling", "concurrency: more limits than are allowed",
			},
			Settings{Steps: []StepLimit{
				{Limit: 2, Scope: function.ScopeFunction, Hash: broken.hash(), key: broken},
				{Limit: 3, Scope: function.ScopeFunction, Hash: compileKey("event.data.a").hash(), key: compileKey("event.data.a")},
			}},
		},
		"runs": {
			function.Settings{Concurrency: &function.Concurrency{Run: []function.RunLimit{
				{Limit: 0}, {Limit: 5, Scope: function.RunScopeApp}, {Limit: 2, Scope: function.RunScopeFunction, Key: "user.x"}, {Limit: 3},
			}}},
			[]string{"concurrency.fn: concurrency limit must be > 0", "concurrency.fn.key: error compiling", "concurrency.fn: more limits than are allowed"},
			Settings{Run: &RunLimit{Limit: 2, ID: semaphore(sampleFunction, "user.x"), key: broken}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, faults := Compile(withSettings(c.settings))
			c.want.Function = sampleFunction
			if diff := cmp.Diff(&c.want, got, keys); diff != "" {
				t.Error(diff)
			}
			if len(faults) != len(c.faults) {
				t.Fatalf("faults %v, want %v", faults, c.faults)
			}
			for at, fault := range faults {
				if !strings.HasPrefix(fault.Error(), c.faults[at]) {
					t.Errorf("fault %q, want %q", fault, c.faults[at])
				}
			}
		})
	}
}

// TestCompile_RateLimitPeriodFailsVisibly: what cannot be counted must not pass unseen.
func TestCompile_RateLimitPeriodFailsVisibly(t *testing.T) {
	t.Parallel()
	settings, faults := Compile(withSettings(function.Settings{RateLimit: &function.RateLimit{Limit: 1, Period: "x"}}))
	if len(faults) != 1 || faults[0].Error() != `rateLimit.period: time: invalid duration "x"` {
		t.Errorf("faults %v", faults)
	}
	v := settings.Evaluate(eventOf(1, `{}`).Event, FromEvent, epoch)
	if v.Err == nil || v.Err.Error() != `rate limit period: time: invalid duration "x"` {
		t.Errorf("err %v", v.Err)
	}
}
