package expr

import (
	"cmp"
	"slices"

	"cel.dev/cel-go/common/types/ref"
	"github.com/cespare/xxhash/v2"
)

// Index holds conditions on incoming events, each under an id, and finds those that an event can meet. How long that takes depends on
// the candidates and on how many places of the event the conditions look at, not on how many there are: each is filed under a value
// that the event must have, or under several of which it must have one; see Program.Keys. Conditions of which no such value is known
// are always candidates.
//
// Conditions that differ in their literals only share one compiled program.
//
// It is not safe for concurrent use. Candidates, Match and Matches change nothing, and can run at the same time as each other with
// different subjects.
type Index[ID comparable] struct {
	shapes map[string]*shape
	slots  []slot[ID]
	free   []uint32
	byID   map[ID]uint32
	order  uint64
	links  links
	// past has the programs of shapes that no condition has any more; nil for none.
	past *Cache
}

// slot is one condition.
type slot[ID comparable] struct {
	id         ID
	shape      *shape
	parameters []ref.Val
	order      uint64 // of its Add among all
	first      uint32 // of its links
}

// NewIndex is an index without conditions.
func NewIndex[ID comparable]() *Index[ID] {
	return &Index[ID]{shapes: map[string]*shape{}, byID: map[ID]uint32{}, links: newLinks()}
}

// NewSharedIndex is an index without conditions that finds the programs of conditions of the past in a cache. The cache may
// serve several indexes, which then are used like one as to concurrency, and serves nothing else.
func NewSharedIndex[ID comparable](past *Cache) *Index[ID] {
	x := NewIndex[ID]()
	x.past = past
	return x
}

// Len is how many conditions there are.
func (x *Index[ID]) Len() int { return len(x.byID) }

// Add adds a condition, or replaces that with the same id. Its errors are Compile's; nothing is changed then.
func (x *Index[ID]) Add(id ID, text string) error {
	shape, parameters, err := x.intern(text)
	if err != nil {
		return err
	}
	shape.users++ // before Remove, which could drop it
	x.Remove(id)
	x.order++
	at := uint32(len(x.slots))
	if last := len(x.free) - 1; last >= 0 {
		at, x.free = x.free[last], x.free[:last]
	} else {
		x.slots = append(x.slots, slot[ID]{})
	}
	x.slots[at] = slot[ID]{id: id, shape: shape, parameters: parameters, order: x.order}
	x.byID[id] = at
	x.file(at)
	return nil
}

// intern finds the shape of a text, or compiles it.
func (x *Index[ID]) intern(text string) (*shape, []ref.Val, error) {
	lifted, ok := lift(text)
	if ok {
		if found := x.known(lifted.key.String()); found != nil {
			return found, lifted.parameters, nil
		}
		program, same, err := lifted.compileShape()
		if err != nil {
			return nil, nil, err
		}
		if same {
			return x.keep(lifted.key.String(), program), lifted.parameters, nil
		}
	}
	whole := "\x00" + text // which no text with its literals lifted starts with and then contains none
	if found := x.known(whole); found != nil {
		return found, nil, nil
	}
	program, err := Compile(text)
	if err != nil {
		return nil, nil, err
	}
	return x.keep(whole, program), nil, nil
}

// known is the shape that conditions have or had, nil for none.
func (x *Index[ID]) known(key string) *shape {
	if found := x.shapes[key]; found != nil || x.past == nil {
		return found
	}
	if program := x.past.Find(key); program != nil {
		return x.keep(key, program)
	}
	return nil
}

func (x *Index[ID]) keep(key string, program *Program) *shape {
	kept := &shape{program: program, key: key}
	if x.past != nil {
		x.past.keep(key, program)
	}
	x.shapes[key] = kept
	return kept
}

// file links a condition under the literals of one of its clauses: that whose literals have the fewest conditions so far.
func (x *Index[ID]) file(at uint32) {
	entry := &x.slots[at]
	var best requirement
	least := 0
	for _, one := range requirements(entry.shape.program.clauses, entry.parameters) {
		count := 0
		for _, literal := range one {
			count += x.links.count(literal)
		}
		if best == nil || count < least {
			best, least = one, count
		}
	}
	if best == nil {
		entry.first = x.links.add(at, 0, always)
		return
	}
	for _, literal := range best {
		entry.first = x.links.add(at, entry.first, x.links.bucket(literal))
	}
}

// Remove removes a condition; false if there is none with the id.
func (x *Index[ID]) Remove(id ID) bool {
	at, found := x.byID[id]
	if !found {
		return false
	}
	entry := &x.slots[at]
	x.links.remove(entry.first)
	if entry.shape.users--; entry.shape.users == 0 {
		delete(x.shapes, entry.shape.key)
	}
	x.slots[at] = slot[ID]{}
	x.free = append(x.free, at)
	delete(x.byID, id)
	return true
}

// Candidates are the conditions that the event can meet, in the order in which they were added: all that it meets, and few others.
func (x *Index[ID]) Candidates(s *Subject) []ID {
	found := x.candidates(s)
	ids := make([]ID, len(found))
	for at, one := range found {
		ids[at] = x.slots[one].id
	}
	return ids
}

// Matches are the conditions that the event meets, in the order in which they were added. One that fails is not met (spec 12 §8.3);
// Match has its error.
func (x *Index[ID]) Matches(s *Subject) []ID {
	var ids []ID
	for _, one := range x.candidates(s) {
		if met, err := x.slots[one].match(s); met && err == nil {
			ids = append(ids, x.slots[one].id)
		}
	}
	return ids
}

// Match is Program.MatchAsync of a condition; false if there is none with the id.
func (x *Index[ID]) Match(id ID, s *Subject) (bool, error) {
	at, found := x.byID[id]
	if !found {
		return false, nil
	}
	return x.slots[at].match(s)
}

func (e *slot[ID]) match(s *Subject) (bool, error) {
	return met(e.shape.program.run(&frame{async: s, now: s.now, parameters: e.parameters}))
}

func (x *Index[ID]) candidates(s *Subject) []uint32 {
	found := x.links.collect(nil, always)
	var buffer [64]byte
	for _, used := range x.links.places {
		if used.users == 0 {
			continue
		}
		s.literalsAt(used.place, buffer[:0], func(literal []byte) {
			found = x.links.collect(found, bucket{used.number, xxhash.Sum64(literal)})
		})
	}
	slices.SortFunc(found, func(a, b uint32) int {
		return cmp.Compare(x.slots[a].order, x.slots[b].order)
	})
	return slices.Compact(found)
}
