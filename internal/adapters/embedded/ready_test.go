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
		var h heap[*item]
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
	var h heap[*item]
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

// TestRing_TakesTurns compares the ring with turns that are walked in the order in which they got their first cell.
func TestRing_TakesTurns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var ready ring
		turns := []*turn{{}, {}, {blocker: &blocker{}}, {blocker: &blocker{}}}
		var line []*turn // the model: who has cells, next in turn first
		cells := map[*turn][]*cell{}
		seq := uint64(0)
		drop := func(t *turn) {
			if len(cells[t]) == 0 {
				line = slices.DeleteFunc(line, func(other *turn) bool { return other == t })
			}
		}
		for range rapid.IntRange(1, 200).Draw(r, "operations") {
			switch rapid.IntRange(0, 4).Draw(r, "operation") {
			case 0, 1:
				t := rapid.SampledFrom(turns).Draw(r, "turn")
				seq++
				c := &cell{jobs: heap[*item]{{seq: seq}}, class: rapid.SampledFrom([]class{classCall, classFirst}).Draw(r, "class")}
				ready.add(t, c)
				if len(cells[t]) == 0 {
					line = append(line, t)
				}
				cells[t] = append(cells[t], c)
			case 2:
				if len(line) == 0 {
					continue
				}
				t := rapid.SampledFrom(line).Draw(r, "turn")
				c := rapid.SampledFrom(cells[t]).Draw(r, "removed")
				ready.remove(c)
				cells[t] = slices.DeleteFunc(cells[t], func(other *cell) bool { return other == c })
				drop(t)
			default:
				if len(line) == 0 {
					if ready.turn != nil {
						r.Fatalf("an empty ring has a turn: %+v", ready.turn)
					}
					continue
				}
				t := line[0]
				if ready.turn != t || t.first() != cells[t][0] {
					r.Fatalf("it is the turn of %+v, want %+v", ready.turn, t)
				}
				ready.turn = t.next
				ready.remove(t.first())
				cells[t] = cells[t][1:]
				line = append(line[1:], t)
				drop(t)
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
