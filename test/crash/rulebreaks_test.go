package crash

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// at is a moment of a made-up history.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// sentAt is an accepted event of group g.
func sentAt(key string, seconds float64) sentEvent {
	return sentEvent{key: key, group: "g", ts: at(seconds).UnixMilli(), sent: at(seconds), id: "id-" + key}
}

// doubtful is an event without an answer.
func doubtful(key string, seconds float64) sentEvent {
	e := sentAt(key, seconds)
	e.id = ""
	return e
}

// ran is a run of group g; a negative end is none.
func ran(id string, from, to float64, keys ...string) seenRun {
	run := seenRun{id: id, group: "g", began: at(from), events: keys}
	if to >= 0 {
		run.ended = at(to)
	}
	return run
}

// called is a call of a group on a connection of the same time; a negative end is none.
func called(group string, from, to float64) seenCall {
	call := seenCall{group: group, connected: at(from), entered: at(from)}
	if to >= 0 {
		call.left = at(to)
	}
	return call
}

// killedAt are servers that were ready at once and killed at these seconds, a second before the next one was ready.
func killedAt(kills ...float64) lives {
	all := lives{{launched: at(0), ready: at(0)}}
	for _, kill := range kills {
		last := &all[len(all)-1]
		last.killed, last.gone = at(kill), at(kill+0.1)
		all = append(all, life{launched: at(kill + 0.2), ready: at(kill + 1)})
	}
	return all
}

type rulebreak struct {
	check func(h history) []string
	h     history
	want  string // part of the only finding; empty for none
}

func (b rulebreak) test(t *testing.T) {
	t.Parallel()
	wrong := b.check(b.h)
	switch {
	case b.want == "" && len(wrong) > 0:
		t.Errorf("found %q in a history that is in order", wrong)
	case b.want != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], b.want)):
		t.Errorf("found %q, want one that contains %q", wrong, b.want)
	}
}

func breakAll(t *testing.T, cases map[string]rulebreak) {
	t.Helper()
	t.Parallel()
	for name, one := range cases {
		t.Run(name, one.test)
	}
}

func TestRules_OfAllFeatures(t *testing.T) {
	breakAll(t, map[string]rulebreak{
		"each event has its run": {check: history.checkEach, h: history{
			events: []sentEvent{sentAt("a", 0), doubtful("b", 0)}, runs: []seenRun{ran("1", 0, 1, "a")},
		}},
		"an event is lost": {check: history.checkEach, want: "accepted event b is in no run", h: history{
			events: []sentEvent{sentAt("a", 0), sentAt("b", 0)}, runs: []seenRun{ran("1", 0, 1, "a")},
		}},
		"an event has two runs": {check: history.checkEach, want: "event a is in 2 runs", h: history{
			events: []sentEvent{sentAt("a", 0)}, runs: []seenRun{ran("1", 0, 1, "a"), ran("2", 0, 1, "a")},
		}},
		"an event in doubt has two runs": {check: history.checkOnce, want: "event a is in 2 runs", h: history{
			events: []sentEvent{doubtful("a", 0)}, runs: []seenRun{ran("1", 0, 1, "a"), ran("2", 0, 1, "a")},
		}},
		"all runs end":     {check: history.checkEnds, h: history{runs: []seenRun{ran("1", 0, 1, "a")}}},
		"a run never ends": {check: history.checkEnds, want: "run 1 of [a] has no end", h: history{runs: []seenRun{ran("1", 0, -1, "a")}}},
	})
}

func TestRules_OfBatches(t *testing.T) {
	three := []sentEvent{sentAt("a", 0), sentAt("b", 0.1), sentAt("c", 0.2)}
	other := sentAt("d", 0)
	other.group = "h"
	check := func(h history) []string { return append(h.checkEach(), h.checkBatches(2, time.Second)...) }
	breakAll(t, map[string]rulebreak{
		"one that is full and one whose time has come": {check: check, h: history{
			events: three, runs: []seenRun{ran("1", 0.1, 1, "a", "b"), ran("2", 1.2, 2, "c")},
		}},
		"one is too large": {check: check, want: "3 events, above the size of 2", h: history{
			events: three, runs: []seenRun{ran("1", 0.2, 1, "a", "b", "c")},
		}},
		"one begins too early": {check: check, want: "only 1 events and began after 100ms", h: history{
			events: three, runs: []seenRun{ran("1", 0.1, 1, "a"), ran("2", 0.3, 2, "b", "c")},
		}},
		"one has an event twice": {check: check, want: "event a is in 2 runs: 1, 1", h: history{
			events: three[:1], runs: []seenRun{ran("1", 0.1, 1, "a", "a")},
		}},
		"an event is in two": {check: check, want: "event b is in 2 runs: 1, 2", h: history{
			events: three, runs: []seenRun{ran("1", 0.1, 1, "a", "b"), ran("2", 1, 2, "b", "c")},
		}},
		"an event is in none": {check: check, want: "accepted event c is in no run", h: history{
			events: three, runs: []seenRun{ran("1", 0.1, 1, "a", "b")},
		}},
		"groups are mixed": {check: check, want: `event d of group "h"`, h: history{
			events: []sentEvent{three[0], other}, runs: []seenRun{ran("1", 0.1, 1, "a", "d")},
		}},
	})
}

func TestRules_OfDebounces(t *testing.T) {
	check := func(h history) []string { return h.checkDebounce(time.Second) }
	older := sentAt("z", 0.5)
	older.ts = at(-3).UnixMilli()
	two := []sentEvent{sentAt("a", 0), sentAt("b", 0.2), older}
	breakAll(t, map[string]rulebreak{
		"the last event has the run":        {check: check, h: history{events: two, runs: []seenRun{ran("1", 1.2, 2, "b")}}},
		"an older one that came later, too": {check: check, h: history{events: two, runs: []seenRun{ran("1", 1.2, 2, "b"), ran("2", 1.5, 2, "z")}}},
		"a later one in doubt took its place": {check: check, h: history{
			events: append([]sentEvent{doubtful("c", 0.4)}, two...), runs: []seenRun{ran("1", 1.4, 2, "c")},
		}},
		"the group is lost":          {check: check, want: "event b, the last one of group g, is in no run", h: history{events: two}},
		"the last event is lost":     {check: check, want: "event b, the last one of group g, is in no run", h: history{events: two, runs: []seenRun{ran("1", 1.2, 2, "a")}}},
		"an older event replaced it": {check: check, want: "event b, the last one of group g, is in no run", h: history{events: two, runs: []seenRun{ran("1", 1.6, 2, "z")}}},
		"an earlier one in doubt took its place": {check: check, want: "event b, the last one", h: history{
			events: append([]sentEvent{doubtful("c", 0.1)}, two...), runs: []seenRun{ran("1", 1.4, 2, "c")},
		}},
		"the last event has two runs": {check: check, want: "event b is in 2 runs", h: history{
			events: two, runs: []seenRun{ran("1", 1.2, 2, "b"), ran("2", 1.3, 2, "b")},
		}},
		"a run begins too early": {check: check, want: "run 1 began 700ms after its event b", h: history{
			events: two, runs: []seenRun{ran("1", 0.9, 2, "b")},
		}},
		"a run has several events": {check: check, want: "has the events [a b]", h: history{
			events: two, runs: []seenRun{ran("1", 1.3, 2, "a", "b")},
		}},
	})
}

// starting is a history of runs that began at these seconds; all were sent at the beginning.
func starting(l lives, seconds ...float64) history {
	h := history{lives: l}
	for i, second := range seconds {
		key := string(rune('a' + i))
		h.events = append(h.events, sentAt(key, 0))
		h.runs = append(h.runs, ran(key, second, second+1, key))
	}
	return h
}

// TestRules_OfStarts: what is allowed at once is 2, then one a second. inHand is worth one more.
func TestRules_OfStarts(t *testing.T) {
	check := func(h history) []string { return h.checkStarts(bucket{atOnce: 2, emission: time.Second}) }
	quiet := killedAt()
	breakAll(t, map[string]rulebreak{
		"a burst, then one by one":        {check: check, h: starting(quiet, 5, 5, 6, 7, 8)},
		"a late one within the tolerance": {check: check, h: starting(quiet, 5.9, 5.9, 6, 7, 8)},
		"one too many at once":            {check: check, want: "4 starts within 0s, 3 are allowed", h: starting(quiet, 5, 5, 5, 5)},
		"one too many in the long run":    {check: check, want: "6 starts within 2.5s, 5 are allowed", h: starting(quiet, 5, 5, 6, 6.5, 7, 7.5)},
		"a full bucket after a kill": {
			check: check, want: "starts within", h: starting(killedAt(5), 4.8, 4.9, 6.5, 6.6, 6.7, 6.8),
		},
		// The first three got their tokens at 3, 4 and 5, before the kills, and their calls were made by the third server.
		"calls that two kills held up": {check: check, h: starting(killedAt(5.1, 6.2), 7.3, 7.3, 7.3, 7.3, 7.4)},
		"the same without the kills":   {check: check, want: "starts within", h: starting(quiet, 7.3, 7.3, 7.3, 7.3, 7.4)},
		"a full bucket from the start": {check: check, want: "3 starts within", h: starting(quiet, 0.1, 0.1, 0.2)},
	})
}

func TestRules_OfCalls(t *testing.T) {
	all := func(limit int) func(h history) []string {
		return func(h history) []string { return h.checkCalls(limit, false) }
	}
	each := func(limit int) func(h history) []string {
		return func(h history) []string { return h.checkCalls(limit, true) }
	}
	late := called("g", 6, 7)
	late.connected = at(4)
	breakAll(t, map[string]rulebreak{
		"one after the other":                     {check: all(1), h: history{calls: []seenCall{called("g", 1, 2), called("g", 2, 3)}}},
		"two at once":                             {check: all(1), want: "2 calls of the function at once", h: history{calls: []seenCall{called("g", 1, 3), called("h", 2, 4)}}},
		"two groups at once":                      {check: each(1), h: history{calls: []seenCall{called("g", 1, 3), called("h", 2, 4)}}},
		"two of a group at once":                  {check: each(1), want: "2 calls of group g at once", h: history{calls: []seenCall{called("g", 1, 3), called("g", 2, 4), called("h", 2, 4)}}},
		"one that is still there":                 {check: all(1), want: "2 calls", h: history{calls: []seenCall{called("g", 1, -1), called("g", 3, 4)}}},
		"one whose server was killed":             {check: all(1), h: history{lives: killedAt(5), calls: []seenCall{called("g", 4, 9), called("g", 6, 7)}}},
		"one that came after its server had gone": {check: all(1), h: history{lives: killedAt(5), calls: []seenCall{late, called("g", 6, 7)}}},
		"two of the server that died": {check: all(1), want: "2 calls", h: history{
			lives: killedAt(5), calls: []seenCall{called("g", 4, 9), called("g", 4.5, 9), called("g", 6, 7)},
		}},
		"two of the server after it": {check: all(1), want: "2 calls", h: history{
			lives: killedAt(5), calls: []seenCall{called("g", 4, 9), called("g", 6, 7), called("g", 6.5, 7)},
		}},
	})
}

func TestRules_OfRunsAtOnce(t *testing.T) {
	check := func(h history) []string { return h.checkRuns(1) }
	other := ran("2", 1, 3, "b")
	other.group = "h"
	breakAll(t, map[string]rulebreak{
		"one after the other": {check: check, h: history{runs: []seenRun{ran("1", 0, 2, "a"), ran("2", 2, 3, "b")}}},
		"of two groups":       {check: check, h: history{runs: []seenRun{ran("1", 0, 2, "a"), other}}},
		"two at once, across a kill": {check: check, want: "2 runs of group g at once", h: history{
			lives: killedAt(1), runs: []seenRun{ran("1", 0, 3, "a"), ran("2", 2.5, 4, "b")},
		}},
		"one that never ended": {check: check, want: "2 runs of group g at once", h: history{runs: []seenRun{ran("1", 0, -1, "a"), ran("2", 2, 3, "b")}}},
	})
}

func TestRules_OfSkipsAndDrops(t *testing.T) {
	two := history{events: []sentEvent{sentAt("a", 0), sentAt("b", 0)}, runs: []seenRun{ran("1", 0, 1, "a")}}
	skips := func(a, b fate) func(h history) []string {
		return func(h history) []string { return h.checkSkips(map[string]fate{"a": a, "b": b}) }
	}
	drops := func(a, b fate) func(h history) []string {
		return func(h history) []string { return h.checkDrops(map[string]fate{"a": a, "b": b}) }
	}
	completed, skipped := fate{completed: 1}, fate{skipped: 1}
	breakAll(t, map[string]rulebreak{
		"one is skipped":               {check: skips(completed, skipped), h: two},
		"one is lost":                  {check: skips(completed, fate{}), want: "event b has 0 completed runs and 0 skipped", h: two},
		"one is skipped and completed": {check: skips(fate{1, 1}, skipped), want: "event a has 1 completed runs and 1 skipped", h: two},
		"a skipped one was called":     {check: skips(skipped, skipped), want: "the app saw 1", h: two},
		"a completed one was not":      {check: skips(completed, completed), want: "event b has 1 completed runs and 0 skipped ones, the app saw 0", h: two},
		"all of a group are skipped":   {check: skips(skipped, skipped), want: "no event was let through", h: history{events: two.events}},
		"one is dropped":               {check: drops(completed, fate{}), h: two},
		"a drop is recorded":           {check: drops(completed, skipped), want: "event b has 0 completed runs and 1 skipped", h: two},
		"one that passed has two runs": {check: drops(fate{completed: 2}, fate{}), want: "event a has 2 completed", h: two},
		"all of a group are dropped":   {check: drops(fate{}, fate{}), want: "no event was let through", h: history{events: two.events}},
	})
}

// TestRules_HoldTheFeaturesToThem: a history in which everything is wrong breaks all the rules that a feature has.
func TestRules_HoldTheFeaturesToThem(t *testing.T) {
	t.Parallel()
	h := starting(killedAt(), 5, 5, 5, 5, 5)
	h.runs = append(h.runs, ran("all", 5, 6, "a", "b", "c", "d", "e", "f"))
	h.events = append(h.events, sentAt("f", 0), sentAt("lost", 9))
	for range 4 {
		h.calls = append(h.calls, called("g", 5, 6))
	}
	const twice, lost = "event a is in 2 runs", "accepted event lost is in no run"
	rules := map[string][]string{
		featureBatch:     {twice, lost, "above the size of 5"},
		featureDebounce:  {twice, "the last one of group g, is in no run", "has the events", "starts within"},
		featureThrottle:  {twice, lost, "starts within"},
		featureRate:      {twice, "event a has 0 completed runs", "starts within"},
		featureSteps:     {twice, lost, "4 calls of the function at once"},
		featureKeyed:     {twice, lost, "4 calls of the function at once", "4 calls of group g at once"},
		featureRuns:      {twice, lost, "6 runs of group g at once"},
		featureSingleton: {twice, "event a has 0 completed runs", "6 runs of group g at once"},
	}
	for _, f := range features {
		found := strings.Join(f.check(h, nil), "\n")
		if len(rules[f.kind]) == 0 {
			t.Errorf("%s has no rules", f.kind)
		}
		for _, rule := range rules[f.kind] {
			if !strings.Contains(found, rule) {
				t.Errorf("%s finds no %q, only:\n%s", f.kind, rule, found)
			}
		}
	}
}

func TestMustEnd_WantsEachOrTheLast(t *testing.T) {
	t.Parallel()
	of := func(kind string, e sentEvent) sentEvent {
		e.kind = kind
		return e
	}
	got := mustEnd([]sentEvent{
		of(kindPlain, sentAt("plain", 0)), of(kindPlain, doubtful("unanswered", 0)), of(featureBatch, sentAt("batched", 0)),
		of(featureDebounce, sentAt("first", 0)), of(featureDebounce, sentAt("last", 2)), of(featureDebounce, sentAt("between", 1)),
		of(featureDebounce, doubtful("replacing", 3)), of(featureDebounce, doubtful("earlier", 1.5)),
		of(featureSingleton, sentAt("single", 0)), of(featureRate, sentAt("limited", 0)),
	})
	if want := "[[plain] [batched] [last replacing]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestLives_CountsReadyTimeOnly(t *testing.T) {
	t.Parallel()
	l := killedAt(5, 10) // ready from 0 to 5, from 6 to 10, and from 11 on
	never := killedAt(5)
	never[1].ready, never[1].killed, never[1].gone = time.Time{}, at(6), at(6.1)
	never = append(never, life{launched: at(6.2), ready: at(7)})
	for name, c := range map[string]struct {
		lives lives
		t     float64
		want  float64 // negative for none
	}{
		"within a life":           {l, 3, 2},
		"across a kill":           {l, 6.25, 4.25},
		"while it starts":         {l, 5.5, 4},
		"a server never ready":    {never, 7.25, 4.25},
		"before it was that long": {l, 0.5, -1},
	} {
		got := c.lives.before(at(c.t), time.Second)
		if c.want < 0 && !got.IsZero() || c.want >= 0 && !got.Equal(at(c.want)) {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if !l.hit(at(4.97), 50*time.Millisecond) || l.hit(at(4.9), 50*time.Millisecond) || l.hit(at(5.2), 50*time.Millisecond) {
		t.Error("what was just before the kill is wrong")
	}
}
