package flow

import (
	"cmp"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCapacity_TakesAllOrNone(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	both := []Constraint{{"a", 2}, {"b", 1}}
	if blocked, ok := c.TryTake(both); blocked != "" || !ok {
		t.Fatalf("the first is blocked by %q", blocked)
	}
	if blocked, ok := c.TryTake(both); blocked != "b" || ok || c.Held("a") != 1 {
		t.Errorf("blocked by %q, %d hold a", blocked, c.Held("a"))
	}
	if blocked, ok := c.TryTake([]Constraint{{"b", 1}, {"a", 1}}); blocked != "a" || ok {
		t.Errorf("of two, blocked by %q, want the last", blocked)
	}
	if blocked, ok := c.TryTake([]Constraint{{"c", 0}}); blocked != "c" || ok || c.Held("c") != 0 {
		t.Errorf("a limit of 0 lets through")
	}
	if _, ok := c.TryTake(nil); !ok {
		t.Error("nothing to take is blocked")
	}
	if diff := gocmp.Diff([]string{"a", "b"}, c.Release(both)); diff != "" {
		t.Error(diff) // a was full for the one with a limit of 1
	}
	if len(c.counters) != 0 {
		t.Errorf("kept %v of nothing", c.counters)
	}
	if room := c.Release(both); room != nil || c.Held("a") != 0 {
		t.Errorf("what nobody holds gives room for %v", room)
	}
}

// TestCapacity_LimitsAreTheTakers: functions that share a counter have their own limits.
func TestCapacity_LimitsAreTheTakers(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	low, high := []Constraint{{"k", 1}}, []Constraint{{"k", 3}}
	for _, one := range [][]Constraint{low, high, high} {
		if _, ok := c.TryTake(one); !ok {
			t.Fatal("no room")
		}
	}
	if _, ok := c.TryTake(high); ok {
		t.Error("a fourth is let through")
	}
	for held := 2; held >= 0; held-- {
		if diff := gocmp.Diff([]string{"k"}, c.Release(high)); diff != "" || c.Held("k") != held {
			t.Errorf("%d hold it: %s", c.Held("k"), diff)
		}
	}
}

// TestCapacity_CountsAKeyOnce: two limits of one function with the same key are both kept, and an item takes one place.
func TestCapacity_CountsAKeyOnce(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	twice := []Constraint{{"k", 2}, {"k", 5}}
	c.TryTake(twice)
	if c.Held("k") != 1 {
		t.Errorf("%d places taken", c.Held("k"))
	}
	c.TryTake(twice)
	if _, ok := c.TryTake(twice); ok {
		t.Error("the lower limit does not hold")
	}
	if diff := gocmp.Diff([]string{"k"}, c.Release(twice)); diff != "" || c.Held("k") != 1 {
		t.Errorf("%d places left: %s", c.Held("k"), diff)
	}
}

func TestCapacity_HoldNeedsNoRoom(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	one := []Constraint{{"k", 1}}
	c.Hold(one)
	c.Hold(one)
	if _, ok := c.TryTake(one); ok || c.Held("k") != 2 {
		t.Errorf("%d hold it, and one more may", c.Held("k"))
	}
	c.Release(one)
	if _, ok := c.TryTake(one); ok {
		t.Error("let through while full")
	}
	c.Release(one)
	if _, ok := c.TryTake(one); !ok {
		t.Error("refused while free")
	}
}

// TestCapacity_SetLimit is the life of a capacity that is not the function's: no worker, one with room for 2, another, one goes.
func TestCapacity_SetLimit(t *testing.T) {
	t.Parallel()
	c := NewCapacity()
	one := []Constraint{{"app", 1 << 30}}
	if c.SetLimit("app", 0) {
		t.Error("there was room before")
	}
	if blocked, ok := c.TryTake(one); ok || blocked != "app" {
		t.Error("let through without workers")
	}
	if !c.SetLimit("app", 2) {
		t.Error("no room with workers")
	}
	for range 2 {
		if _, ok := c.TryTake(one); !ok {
			t.Error("no room with workers")
		}
	}
	if _, ok := c.TryTake(one); ok {
		t.Error("let through with busy workers")
	}
	if c.SetLimit("app", 2) || c.SetLimit("app", 1) {
		t.Error("there is room though nothing came")
	}
	if room := c.Release(one); len(room) != 1 {
		t.Errorf("room for %v", room)
	}
	if _, ok := c.TryTake(one); ok {
		t.Error("let through over the lower limit")
	}
	if !c.SetLimit("app", -1) || c.SetLimit("app", -1) {
		t.Error("without the bound there is room, once")
	}
	if _, ok := c.TryTake(one); !ok {
		t.Error("no room without a bound")
	}
}

// running is one item at work or waiting in the simulations below.
type running struct {
	ends        time.Duration
	constraints []Constraint
}

// work runs items of a second each, in their order, whenever their constraints have room, and says when they began.
func work(items [][]Constraint) []time.Duration {
	c := NewCapacity()
	began := make([]time.Duration, len(items))
	waiting := make([]int, len(items))
	for at := range items {
		waiting[at] = at
	}
	var busy []running
	for now := time.Duration(0); ; {
		waiting = slices.DeleteFunc(waiting, func(at int) bool {
			_, ok := c.TryTake(items[at])
			if ok {
				began[at] = now
				busy = append(busy, running{now + time.Second, items[at]})
			}
			return ok
		})
		if len(busy) == 0 {
			return began
		}
		slices.SortStableFunc(busy, func(a, b running) int { return cmp.Compare(a.ends, b.ends) })
		now = busy[0].ends
		c.Release(busy[0].constraints)
		busy = busy[1:]
	}
}

// TestCapacity_Observed are the runs of spec 11 §8.2 without the waits of 2 s that the reference has: a limit of 2 refills at once, and
// one key does not hold up the other.
func TestCapacity_Observed(t *testing.T) {
	t.Parallel()
	fn, one, other := Constraint{"fn", 2}, Constraint{"k1", 1}, Constraint{"k2", 1}
	for name, c := range map[string]struct {
		items [][]Constraint
		want  []time.Duration
	}{
		"limit 2, five runs": {
			[][]Constraint{{fn}, {fn}, {fn}, {fn}, {fn}},
			[]time.Duration{0, 0, time.Second, time.Second, 2 * time.Second},
		},
		"limit 1 per key, two keys, four runs": {
			[][]Constraint{{one}, {one}, {other}, {other}},
			[]time.Duration{0, time.Second, 0, time.Second},
		},
	} {
		if diff := gocmp.Diff(c.want, work(c.items)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestCapacity_IsItsModel: random items take, wait, release and have limits changed, against lists that are counted anew each time. No
// limit is ever exceeded by who takes, and, as long as those are tried again that are told to, nobody waits who could go on.
func TestCapacity_IsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := NewCapacity()
		bounds := map[string]int{}
		var busy [][]Constraint
		waiting := map[string][][]Constraint{}
		held := func(key string) int {
			count := 0
			for _, item := range busy {
				if slices.ContainsFunc(item, func(one Constraint) bool { return one.Key == key }) {
					count++
				}
			}
			return count
		}
		room := func(item []Constraint) bool {
			for _, one := range item {
				limit := one.Limit
				if bound, found := bounds[one.Key]; found {
					limit = min(limit, bound)
				}
				if held(one.Key) >= limit {
					return false
				}
			}
			return true
		}
		try := func(item []Constraint) {
			want := room(item)
			blocked, ok := c.TryTake(item)
			if ok != want {
				r.Fatalf("%v is let through %t, want %t", item, ok, want)
			}
			if ok {
				busy = append(busy, item)
				return
			}
			if !slices.ContainsFunc(item, func(one Constraint) bool { return one.Key == blocked }) {
				r.Fatalf("%v is blocked by %q", item, blocked)
			}
			waiting[blocked] = append(waiting[blocked], item)
		}
		retry := func(keys ...string) {
			for _, key := range keys {
				again := waiting[key]
				delete(waiting, key)
				for _, item := range again {
					try(item)
				}
			}
		}
		keys := []string{"a", "b", "c"}
		for range rapid.IntRange(1, 60).Draw(r, "operations") {
			switch rapid.SampledFrom([]string{"take", "take", "release", "release", "hold", "limit"}).Draw(r, "operation") {
			case "take":
				item := make([]Constraint, rapid.IntRange(0, 3).Draw(r, "constraints"))
				for at := range item {
					item[at] = Constraint{rapid.SampledFrom(keys).Draw(r, "key"), rapid.IntRange(1, 4).Draw(r, "limit")}
				}
				try(item)
			case "release":
				if len(busy) > 0 {
					at := rapid.IntRange(0, len(busy)-1).Draw(r, "item")
					item := busy[at]
					busy = slices.Delete(busy, at, at+1)
					retry(c.Release(item)...)
				}
			case "hold":
				item := []Constraint{{rapid.SampledFrom(keys).Draw(r, "key"), rapid.IntRange(1, 4).Draw(r, "limit")}}
				c.Hold(item)
				busy = append(busy, item)
			case "limit":
				key, limit := rapid.SampledFrom(keys).Draw(r, "key"), rapid.IntRange(-1, 4).Draw(r, "bound")
				if limit < 0 {
					delete(bounds, key)
				} else {
					bounds[key] = limit
				}
				if c.SetLimit(key, limit) {
					retry(key)
				}
			}
			for _, key := range keys {
				if c.Held(key) != held(key) {
					r.Fatalf("%d hold %s, want %d", c.Held(key), key, held(key))
				}
			}
			for key, items := range waiting {
				for _, item := range items {
					if room(item) {
						r.Fatalf("%v waits under %s, though it has room", item, key)
					}
				}
			}
		}
	})
}

// BenchmarkCapacity shows that an operation does not depend on how much runs.
func BenchmarkCapacity(b *testing.B) {
	for _, size := range []int{10, 100_000} {
		b.Run("held="+strconv.Itoa(size), func(b *testing.B) {
			c := NewCapacity()
			for n := range size {
				c.Hold([]Constraint{{"account", 1 << 30}, {"fn", 1 << 30}, {"key" + strconv.Itoa(n), 1}})
			}
			item := []Constraint{{"account", 1 << 30}, {"fn", 1 << 30}, {"key", 1}}
			b.ReportAllocs()
			for b.Loop() {
				c.TryTake(item)
				c.Release(item)
			}
		})
	}
}
