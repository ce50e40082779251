package crash

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Features of flow control; each is a function of its own, and the kind of its events.
const (
	featureBatch     = "batch"    // a step
	featureDebounce  = "debounce" // a step
	featureThrottle  = "throttle" // a step
	featureRate      = "rate"     // a step
	featureSteps     = "steps-at-once"
	featureKeyed     = "steps-by-key"
	featureRuns      = "runs-by-key" // a sleep
	featureSingleton = "singleton"   // a sleep
)

// feature is a function with a setting of flow control, and what must hold of it.
type feature struct {
	kind     string
	settings map[string]any // members of the registration (Spec 11 §1.3)
	share    int            // of the events
	groups   int            // that each sender has
	// room is how many accepted events of a group may wait for the ends of their runs before no more are sent, so that
	// there always are some, but not more than can be dealt with at the end; 0 is no limit.
	room int
	// linger is how long a call stays in the app.
	linger time.Duration
	// asks says that only the server can tell what became of an event, because not each has a run.
	asks bool
	// last says that only the last event of a group has to have a run. Such groups are given up after a while for new ones,
	// so that there are many last events.
	last  bool
	check func(h history, fates map[string]fate) []string
}

const (
	batchSize      = 5
	batchTimeout   = time.Second
	debouncePeriod = time.Second

	short = 30 * time.Millisecond  // so that kills meet calls
	long  = 100 * time.Millisecond // so that calls meet each other
)

var byGroup = "event.data.group"

// features have short periods and narrow limits, so that something waits nearly all of the time.
var features = []feature{
	{
		kind: featureBatch, share: 4, groups: 2, linger: short,
		settings: map[string]any{"batchEvents": map[string]any{"maxSize": batchSize, "timeout": batchTimeout.String(), "key": byGroup}},
		check: func(h history, _ map[string]fate) []string {
			return append(h.checkEach(), h.checkBatches(batchSize, batchTimeout)...)
		},
	},
	{
		kind: featureDebounce, share: 2, groups: 4, last: true, linger: short,
		settings: map[string]any{"debounce": map[string]any{"period": debouncePeriod.String(), "key": byGroup}},
		// After a run nothing waits, so that the next one is at least the period later.
		check: func(h history, _ map[string]fate) []string {
			return append(h.checkDebounce(debouncePeriod), h.checkStarts(bucket{atOnce: 1, emission: debouncePeriod})...)
		},
	},
	{
		kind: featureThrottle, share: 1, groups: 2, room: 5, linger: short,
		settings: map[string]any{"throttle": map[string]any{"limit": 2, "period": "2s", "burst": 1, "key": byGroup}},
		check: func(h history, _ map[string]fate) []string {
			return append(h.checkEach(), h.checkStarts(bucket{atOnce: 3, emission: time.Second})...)
		},
	},
	{
		kind: featureRate, share: 1, groups: 1, asks: true, linger: short,
		settings: map[string]any{"rateLimit": map[string]any{"limit": 2, "period": "2s", "key": byGroup}},
		check: func(h history, fates map[string]fate) []string {
			wrong := append(h.checkOnce(), h.checkDrops(fates)...)
			return append(wrong, h.checkStarts(bucket{atOnce: 1, emission: time.Second})...)
		},
	},
	{
		kind: featureSteps, share: 1, groups: 2, room: 6, linger: long,
		settings: map[string]any{
			"concurrency": map[string]any{"step": []any{map[string]any{"limit": 2}}},
			"priority":    map[string]any{"run": "event.data.urgency"},
		},
		check: func(h history, _ map[string]fate) []string { return append(h.checkEach(), h.checkCalls(2, false)...) },
	},
	{
		kind: featureKeyed, share: 1, groups: 2, room: 6, linger: long,
		settings: map[string]any{"concurrency": map[string]any{"step": []any{
			map[string]any{"limit": 1, "key": byGroup}, map[string]any{"limit": 3},
		}}},
		check: func(h history, _ map[string]fate) []string {
			wrong := append(h.checkEach(), h.checkCalls(1, true)...)
			return append(wrong, h.checkCalls(3, false)...)
		},
	},
	{
		kind: featureRuns, share: 1, groups: 2, room: 6, linger: short,
		settings: map[string]any{"concurrency": map[string]any{"fn": []any{map[string]any{"limit": 2, "key": byGroup}}}},
		check:    func(h history, _ map[string]fate) []string { return append(h.checkEach(), h.checkRuns(2)...) },
	},
	{
		kind: featureSingleton, share: 1, groups: 2, asks: true, linger: short,
		settings: map[string]any{"singleton": map[string]any{"mode": "skip", "key": byGroup}},
		check: func(h history, fates map[string]fate) []string {
			wrong := append(h.checkOnce(), h.checkSkips(fates)...)
			return append(wrong, h.checkRuns(1)...)
		},
	},
}

func featureOf(kind string) (feature, bool) {
	for _, f := range features {
		if f.kind == kind {
			return f, true
		}
	}
	return feature{}, false
}

// plainEvents makes batches of one to five events that start the function without settings. Two of three batches carry
// ids of their own, the third leaves them to the server.
func plainEvents(rng *rand.Rand, index int) func(n int) []event {
	return func(n int) []event {
		var events []event
		for i := range 1 + rng.IntN(5) {
			data := payload{Key: fmt.Sprintf("s%d-b%d-e%d", index, n, i), Kind: kinds[rng.IntN(len(kinds))], Nap: nap(rng, 200, 1000)}
			events = append(events, event{ID: ownID(n, data.Key), Name: "crash/go", Data: data})
		}
		return events
	}
}

// featureEvents makes batches of one to five events of any features. A group belongs to one sender, which gives its
// events times that grow, except that one in six is older than those before it.
func featureEvents(rng *rand.Rand, index int, open func(group string) int) func(n int) []event {
	var last int64
	return func(n int) []event {
		var events []event
		for i := range 1 + rng.IntN(5) {
			f := pick(rng)
			group := groupOf(rng, f, index, n)
			if f.room > 0 && open(group) >= f.room {
				continue
			}
			last = max(last+1, time.Now().UnixMilli())
			ts := last
			if rng.IntN(6) == 0 {
				ts -= 3000 // older than what may wait, so that it must not take its place
			}
			data := payload{Key: fmt.Sprintf("f%d-b%d-e%d", index, n, i), Kind: f.kind, Group: group, Nap: nap(rng, 300, 900), Urgency: rng.IntN(100)}
			events = append(events, event{ID: ownID(n, data.Key), Name: "crash/" + f.kind, TS: ts, Data: data})
		}
		return events
	}
}

// pick chooses a feature by its share.
func pick(rng *rand.Rand) feature {
	all := 0
	for _, f := range features {
		all += f.share
	}
	at := rng.IntN(all)
	for _, f := range features {
		if at -= f.share; at < 0 {
			return f
		}
	}
	panic("a share is negative")
}

// spell is how many batches of a sender groups of features with last events last.
const spell = 20

// groupOf chooses a group for an event of the n-th batch.
func groupOf(rng *rand.Rand, f feature, index, n int) string {
	group := fmt.Sprintf("%s-f%d-g%d", f.kind, index, rng.IntN(f.groups))
	if f.last {
		group += fmt.Sprintf("-n%d", n/spell)
	}
	return group
}

// nap is a duration of milliseconds.
func nap(rng *rand.Rand, from, below int) string {
	return fmt.Sprintf("%dms", from+rng.IntN(below-from))
}

func ownID(n int, key string) string {
	if n%3 == 0 {
		return ""
	}
	return "own-" + key
}
