package flow

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// counting gives the IDs 1000, 1001 and so on.
func counting() func() ulid.ULID {
	n := 999
	return func() ulid.ULID {
		n++
		return idOf(n)
	}
}

func items(from, to int) []Item {
	var list []Item
	for n := from; n <= to; n++ {
		list = append(list, Item{ID: idOf(n), Size: 100})
	}
	return list
}

func put(batches ...int) []ulid.ULID {
	ids := make([]ulid.ULID, len(batches))
	for at, n := range batches {
		if n > 0 {
			ids[at] = idOf(n)
		}
	}
	return ids
}

func TestBatch_Append(t *testing.T) {
	t.Parallel()
	five := &Batch{MaxSize: 5, Timeout: 4 * time.Second}
	deadline := epoch.Add(4 * time.Second)
	seen := func(list []Item) []Item {
		list[0].Seen = true
		return list
	}
	for name, c := range map[string]struct {
		open  *OpenBatch
		items []Item
		want  Appended
	}{
		"nothing":                  {nil, nil, Appended{Put: put()}},
		"the first opens":          {nil, items(1, 1), Appended{Put: put(1000), Open: &OpenBatch{idOf(1000), 1, 100, deadline}}},
		"the next joins":           {&OpenBatch{idOf(7), 3, 300, deadline}, items(1, 1), Appended{Put: put(7), Open: &OpenBatch{idOf(7), 4, 400, deadline}}},
		"the last fills":           {&OpenBatch{idOf(7), 4, 400, deadline}, items(1, 1), Appended{Put: put(7), Full: []OpenBatch{{idOf(7), 5, 500, deadline}}}},
		"eight at once":            {nil, items(1, 8), Appended{put(1000, 1000, 1000, 1000, 1000, 1001, 1001, 1001), []OpenBatch{{idOf(1000), 5, 500, deadline}}, &OpenBatch{idOf(1001), 3, 300, deadline}}},
		"ten at once":              {nil, items(1, 10), Appended{put(1000, 1000, 1000, 1000, 1000, 1001, 1001, 1001, 1001, 1001), []OpenBatch{{idOf(1000), 5, 500, deadline}, {idOf(1001), 5, 500, deadline}}, nil}},
		"an overflow":              {&OpenBatch{idOf(7), 4, 400, deadline}, items(1, 2), Appended{put(7, 1000), []OpenBatch{{idOf(7), 5, 500, deadline}}, &OpenBatch{idOf(1000), 1, 100, deadline}}},
		"a duplicate":              {nil, seen(items(1, 1)), Appended{Put: put(0)}},
		"a duplicate of an open":   {&OpenBatch{idOf(7), 1, 100, deadline}, seen(items(1, 2)), Appended{Put: put(0, 7), Open: &OpenBatch{idOf(7), 2, 200, deadline}}},
		"twice in one call":        {nil, append(items(1, 2), items(1, 2)...), Appended{Put: put(1000, 1000, 0, 0), Open: &OpenBatch{idOf(1000), 2, 200, deadline}}},
		"bytes fill":               {&OpenBatch{idOf(7), 1, BatchBytes - 100, deadline}, items(1, 2), Appended{put(7, 1000), []OpenBatch{{idOf(7), 2, BatchBytes, deadline}}, &OpenBatch{idOf(1000), 1, 100, deadline}}},
		"one byte is missing":      {&OpenBatch{idOf(7), 1, BatchBytes - 101, deadline}, items(1, 1), Appended{Put: put(7), Open: &OpenBatch{idOf(7), 2, BatchBytes - 1, deadline}}},
		"one event is too large":   {nil, []Item{{ID: idOf(1), Size: 2 * BatchBytes}}, Appended{Put: put(1000), Full: []OpenBatch{{idOf(1000), 1, 2 * BatchBytes, deadline}}}},
		"the size became smaller":  {&OpenBatch{idOf(7), 8, 800, deadline}, items(1, 1), Appended{put(1000), []OpenBatch{{idOf(7), 8, 800, deadline}}, &OpenBatch{idOf(1000), 1, 100, deadline}}},
		"smaller, but a duplicate": {&OpenBatch{idOf(7), 8, 800, deadline}, seen(items(1, 1)), Appended{Put: put(0), Open: &OpenBatch{idOf(7), 8, 800, deadline}}},
		"at its deadline":          {&OpenBatch{idOf(7), 1, 100, epoch}, items(1, 1), Appended{put(1000), []OpenBatch{{idOf(7), 1, 100, epoch}}, &OpenBatch{idOf(1000), 1, 100, deadline}}},
	} {
		var before OpenBatch
		if c.open != nil {
			before = *c.open
		}
		if diff := cmp.Diff(c.want, five.Append(c.open, c.items, epoch, counting())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.open != nil && *c.open != before {
			t.Errorf("%s: the argument was changed", name)
		}
	}
}

// TestBatch_Observed are the events of spec 11 §3.6, without the reference's buffer of half a second. A batch that fills slowly starts
// when it is full (W1).
func TestBatch_Observed(t *testing.T) {
	t.Parallel()
	slow := &Batch{MaxSize: 3, Timeout: 8 * time.Second}
	newID := counting()
	var open *OpenBatch
	for n, at := range []float64{0, 1.2, 2.4} {
		got := slow.Append(open, items(n+1, n+1), epoch.Add(seconds(at)), newID)
		if full := len(got.Full) == 1; full != (n == 2) {
			t.Errorf("after event %d at %v: %+v", n+1, at, got)
		}
		open = got.Open
	}
	if open != nil {
		t.Errorf("%+v is open", open)
	}
}

// TestBatch_IsItsModel: random events, in random groups, with a timer that may be late, against plain lists. No event is in two batches or
// in none, and cutting a group in two changes nothing.
func TestBatch_IsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		settings := &Batch{MaxSize: rapid.IntRange(2, 6).Draw(r, "size"), Timeout: time.Duration(rapid.Int64Range(0, 1000).Draw(r, "timeout"))}
		newID, modelID := counting(), counting()
		contents := map[ulid.ULID][]Item{} // what the decisions say
		started := map[ulid.ULID]time.Time{}
		seen := map[ulid.ULID]bool{}
		var open *OpenBatch
		var model []Item // what the open batch should have
		var modelOpen ulid.ULID
		var deadline time.Time
		now := epoch
		start := func(id ulid.ULID) {
			if _, twice := started[id]; twice {
				r.Fatalf("%s starts twice", id)
			}
			started[id] = now
		}
		for range rapid.IntRange(1, 30).Draw(r, "groups") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 400).Draw(r, "pause")))
			if open != nil && !open.Deadline.After(now) && rapid.Bool().Draw(r, "the timer rings") {
				start(open.ID)
				open, model = nil, nil
			}
			if open != nil && !open.Deadline.After(now) {
				model = nil // whoever starts it is late, and takes none of what comes now
			}
			group := make([]Item, rapid.IntRange(0, 9).Draw(r, "events"))
			for at := range group {
				id := idOf(rapid.IntRange(1, 60).Draw(r, "event"))
				group[at] = Item{ID: id, Seen: seen[id], Size: rapid.SampledFrom([]int{10, 1000, BatchBytes / 2, BatchBytes + 1}).Draw(r, "bytes")}
			}
			got := settings.Append(open, group, now, newID)
			for at, item := range group {
				batch := got.Put[at]
				if batch.IsZero() != seen[item.ID] {
					r.Fatalf("event %s, seen %t, is put in %s", item.ID, seen[item.ID], batch)
				}
				if seen[item.ID] {
					continue
				}
				seen[item.ID] = true
				contents[batch] = append(contents[batch], item)
				if len(model) == 0 {
					modelOpen, deadline = modelID(), now.Add(settings.Timeout)
				}
				if batch != modelOpen {
					r.Fatalf("event %s is put in %s, want %s", item.ID, batch, modelOpen)
				}
				model = append(model, item)
				bytes := 0
				for _, one := range model {
					bytes += one.Size
				}
				if len(model) == settings.MaxSize || bytes >= BatchBytes {
					model = nil
				}
			}
			for _, full := range got.Full {
				start(full.ID)
				bytes := 0
				for _, one := range contents[full.ID] {
					bytes += one.Size
				}
				if full.Events != len(contents[full.ID]) || full.Bytes != bytes || full.Events > settings.MaxSize {
					r.Fatalf("%+v is full, it has %v", full, contents[full.ID])
				}
			}
			open = got.Open
			if (open == nil) != (len(model) == 0) {
				r.Fatalf("open is %+v, want %v", open, model)
			}
			if open != nil && (open.ID != modelOpen || open.Events != len(model) || !open.Deadline.Equal(deadline)) {
				r.Fatalf("open is %+v, want %v until %s", open, model, deadline)
			}
		}
		for id := range contents {
			if _, ended := started[id]; !ended && (open == nil || open.ID != id) {
				r.Fatalf("%s is neither open nor started", id)
			}
		}
	})
}
