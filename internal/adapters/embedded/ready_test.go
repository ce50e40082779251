package embedded

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHeap_EqualsASortedList runs random pushes, pops and removals on a heap and on a list.
func TestHeap_EqualsASortedList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var h heap
		var model []*item
		order := func(a, b *item) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.seq, b.seq)) }
		seq := uint64(0)
		for range rapid.IntRange(0, 3000).Draw(r, "operations") {
			switch {
			case len(model) == 0 || rapid.IntRange(0, 2).Draw(r, "push") > 0:
				seq++
				it := &item{due: rapid.Int64Range(0, 20).Draw(r, "due"), seq: seq}
				h.push(it)
				model = append(model, it)
			case rapid.Bool().Draw(r, "pop"):
				first := slices.MinFunc(model, order)
				if got := h.pop(); got != first {
					r.Fatalf("popped %+v, want %+v", got, first)
				}
				model = slices.DeleteFunc(model, func(it *item) bool { return it == first })
			default:
				it := rapid.SampledFrom(model).Draw(r, "removed")
				h.remove(it)
				model = slices.DeleteFunc(model, func(other *item) bool { return it == other })
			}
			if len(h) != len(model) {
				r.Fatalf("%d items, want %d", len(h), len(model))
			}
		}
		slices.SortFunc(model, order)
		for _, want := range model {
			if got := h.pop(); got != want {
				r.Fatalf("popped %+v, want %+v", got, want)
			}
		}
	})
}

func TestHeap_GivesBackMemory(t *testing.T) {
	t.Parallel()
	var h heap
	for i := range 100_000 {
		h.push(&item{due: int64(i)})
	}
	for range 99_000 {
		h.pop()
	}
	if cap(h) > 8192 {
		t.Errorf("room for %d items is kept for %d", cap(h), len(h))
	}
}

// TestRing_TakesTurns compares the ring with lanes that are walked in the order in which they got their first job.
func TestRing_TakesTurns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var ready ring
		lanes := []*lane{{}, {}, {}, {}}
		var line []*lane // the model: who has jobs, next in turn first
		jobs := map[*lane][]*item{}
		seq := uint64(0)
		drop := func(l *lane) {
			if len(jobs[l]) == 0 {
				line = slices.DeleteFunc(line, func(other *lane) bool { return other == l })
			}
		}
		for range rapid.IntRange(1, 200).Draw(r, "operations") {
			switch rapid.IntRange(0, 4).Draw(r, "operation") {
			case 0, 1:
				l := rapid.SampledFrom(lanes).Draw(r, "lane")
				seq++
				it := &item{seq: seq, lane: l}
				ready.add(it)
				if len(jobs[l]) == 0 {
					line = append(line, l)
				}
				jobs[l] = append(jobs[l], it)
			case 2:
				if len(line) == 0 {
					continue
				}
				l := rapid.SampledFrom(line).Draw(r, "lane")
				it := rapid.SampledFrom(jobs[l]).Draw(r, "removed")
				ready.remove(it)
				jobs[l] = slices.DeleteFunc(jobs[l], func(other *item) bool { return other == it })
				drop(l)
			default:
				got := ready.pick()
				if len(line) == 0 {
					if got != nil {
						r.Fatalf("picked %+v of an empty ring", got)
					}
					continue
				}
				l := line[0]
				if got != jobs[l][0] {
					r.Fatalf("picked %+v, want %+v", got, jobs[l][0])
				}
				jobs[l] = jobs[l][1:]
				line = append(line[1:], l)
				drop(l)
			}
		}
	})
}

func TestFIFO_EqualsAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var f fifo[int]
		var model []int
		for i := range rapid.IntRange(0, 3000).Draw(r, "operations") {
			switch n := rapid.IntRange(0, 9).Draw(r, "operation"); {
			case n < 5:
				f.push(i)
				model = append(model, i)
			case n == 5:
				f.pushFront(i)
				model = slices.Insert(model, 0, i)
			case len(model) > 0:
				if first, got := f.peek(), f.pop(); got != model[0] || first != got {
					r.Fatalf("popped %d, want %d", got, model[0])
				}
				model = model[1:]
			}
			if f.len() != len(model) {
				r.Fatalf("length %d, want %d", f.len(), len(model))
			}
		}
	})
}

func TestFIFO_GivesBackMemory(t *testing.T) {
	t.Parallel()
	var f fifo[int]
	for i := range 100_000 {
		f.push(i)
	}
	for range 99_000 {
		f.pop()
	}
	if cap(f.items) > 8192 {
		t.Errorf("room for %d values is kept for %d", cap(f.items), f.len())
	}
	for range 1000 {
		f.pop()
	}
	if f.len() != 0 {
		t.Errorf("%d values are left", f.len())
	}
}
