package system

import (
	"bytes"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/ports/portstest"
)

func TestClock_IsUTCWithoutAMonotonicReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := Clock{}.Now()
		if same := map[time.Time]bool{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC): true}; !same[now] { // as values, not as instants
			t.Errorf("now is %v", now)
		}
		time.Sleep(time.Second)
		if later := (Clock{}).Now(); later.Sub(now) != time.Second {
			t.Errorf("a second later is %v", later)
		}
	})
}

func TestClock_Contract(t *testing.T) {
	t.Parallel()
	portstest.TestClock(t, func() ports.Clock { return Clock{} })
}

func TestIDs_CarryTheirTimeAndIncreaseWithinAMillisecond(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := NewIDs()
		begin := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "begin"))
		last := map[int64]ulid.ULID{}
		// Callers read the clock and take turns: their times go back and forth by a few milliseconds.
		for _, offset := range rapid.SliceOf(rapid.IntRange(0, 7)).Draw(t, "offsets") {
			at := begin.Add(time.Duration(offset) * time.Millisecond)
			id := ids.ULID(at)
			if int64(id.Time()) != at.UnixMilli() {
				t.Fatalf("time of %s is %d, want %d", id, id.Time(), at.UnixMilli())
			}
			if before, ok := last[at.UnixMilli()]; ok && bytes.Compare(before[:], id[:]) >= 0 {
				t.Fatalf("%s came after %s", id, before)
			}
			last[at.UnixMilli()] = id
		}
	})
}

func TestIDs_MovesATimeToTheNearestBound(t *testing.T) {
	t.Parallel()
	ids := NewIDs()
	for name, c := range map[string]struct {
		at   time.Time
		want uint64
	}{
		"before the epoch":      {time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		"the zero time":         {time.Time{}, 0},
		"after the last ULID":   {time.UnixMilli(math.MaxInt64 / 2), ulid.MaxTime()},
		"the last millisecond":  {time.UnixMilli(int64(ulid.MaxTime())), ulid.MaxTime()},
		"the first millisecond": {time.UnixMilli(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if id := ids.ULID(c.at); id.Time() != c.want {
				t.Errorf("time is %d, want %d", id.Time(), c.want)
			}
		})
	}
}

func TestIDs_StartsOverWhenAMillisecondIsUsedUp(t *testing.T) {
	t.Parallel()
	ids := NewIDs()
	at := time.UnixMilli(1_700_000_000_000)
	// The last entropy there is: what follows it would overflow.
	ids.entropy[at.UnixMilli()%int64(len(ids.entropy))] = ulid.Monotonic(bytes.NewReader(bytes.Repeat([]byte{0xff}, 64)), math.MaxUint32)
	first, second := ids.ULID(at), ids.ULID(at)
	if first == second || second.Time() != uint64(at.UnixMilli()) {
		t.Errorf("got %s after %s", second, first)
	}
}

func TestIDs_AreDifferentForConcurrentCallers(t *testing.T) {
	t.Parallel()
	ids := NewIDs()
	at := time.UnixMilli(1_700_000_000_000)
	made := make([][]ulid.ULID, 8)
	var group sync.WaitGroup
	for caller := range made {
		group.Go(func() {
			for n := range 200 {
				made[caller] = append(made[caller], ids.ULID(at.Add(time.Duration(n%3)*time.Millisecond)))
			}
		})
	}
	group.Wait()
	all := slices.Concat(made...)
	slices.SortFunc(all, ulid.ULID.Compare)
	if unique := slices.Compact(slices.Clone(all)); len(unique) != len(all) {
		t.Errorf("%d IDs, %d of them different", len(all), len(unique))
	}
}

func TestRandom_StaysBelowTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64().Draw(t, "limit"))
		got := Random{}.Duration(limit)
		if limit <= 0 && got != 0 || limit > 0 && (got < 0 || got >= limit) {
			t.Fatalf("%d for a limit of %d", got, limit)
		}
	})
}

func TestRandom_Varies(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[Random{}.Duration(time.Hour)] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 draws gave %d durations", len(seen))
	}
}

func BenchmarkIDs(b *testing.B) {
	ids, at := NewIDs(), time.UnixMilli(1_700_000_000_000)
	b.ReportAllocs()
	for b.Loop() {
		ids.ULID(at)
	}
}
