package embedded

import (
	"encoding/json"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
)

func TestCache_KeepsTheRecentlyUsedWithinItsBound(t *testing.T) {
	t.Parallel()
	state := func(n byte, revision int64, size int) run.State {
		return run.State{ID: ulid.ULID{15: n}, Revision: revision, Size: size, Steps: map[string]json.RawMessage{}}
	}
	c := newCache(3 * stateCost)
	has := func(n byte) bool { _, ok := c.get(ulid.ULID{15: n}); return ok }
	for n := range byte(3) {
		c.put(state(n, 0, 0))
	}
	has(0) // 1 is now the least recently used
	c.put(state(3, 0, 0))
	if !has(0) || has(1) || !has(2) || !has(3) {
		t.Error("it was not the least recently used that gave way")
	}
	c.put(state(0, 5, 0))
	c.put(state(0, 4, 0))
	if s, _ := c.get(ulid.ULID{}); s.Revision != 5 {
		t.Errorf("an older revision replaced a newer: %d", s.Revision)
	}
	c.put(state(9, 0, 10*stateCost))
	if has(9) || !has(0) {
		t.Error("a state larger than the cache was kept, or drove others out")
	}
	c.put(state(0, 6, 10*stateCost))
	if has(0) || c.size > c.limit || c.order.Len() != len(c.runs) {
		t.Errorf("%d bytes of %d in %d states after one grew", c.size, c.limit, len(c.runs))
	}
	for n := range byte(10) {
		c.drop(ulid.ULID{15: n})
	}
	if c.size != 0 || len(c.runs) != 0 {
		t.Errorf("%d bytes in %d states are left", c.size, len(c.runs))
	}
}
