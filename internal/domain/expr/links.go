package expr

import "github.com/cespare/xxhash/v2"

// links are what an Index files its conditions by: chains of those that wait for the same value at the same place. Everything is a
// number, so that a hundred thousand chains cost the garbage collector nothing.
type links struct {
	chains map[bucket]chain
	all    []link // the first is not used: 0 is none
	free   uint32 // the first of the free ones
	places []*filedPlace
	byPath map[string]*filedPlace
}

// bucket is a value's hash at a place. That two values can share it makes candidates of too many, never of too few.
type bucket struct {
	place uint32
	hash  uint64
}

// always is the bucket of those that are always candidates.
var always = bucket{}

type chain struct{ head, count uint32 }

// link is one condition's membership of one chain.
type link struct {
	bucket
	slot           uint32
	next, previous uint32 // in the chain
	sibling        uint32 // the condition's next one
}

// filedPlace is a place with its number, from 1.
type filedPlace struct {
	place  *place
	number uint32
	users  int
}

func newLinks() links {
	return links{chains: map[bucket]chain{}, all: make([]link, 1), byPath: map[string]*filedPlace{}}
}

// bucket is that of a literal, whose place gets a number if it has none.
func (l *links) bucket(literal literalAt) bucket {
	filed := l.byPath[literal.place.pointer]
	if filed == nil {
		filed = &filedPlace{place: literal.place, number: uint32(len(l.places) + 1)}
		l.places = append(l.places, filed)
		l.byPath[literal.place.pointer] = filed
	}
	return bucket{filed.number, xxhash.Sum64String(literal.text)}
}

// count is how many conditions are filed under the literal.
func (l *links) count(literal literalAt) int {
	filed := l.byPath[literal.place.pointer]
	if filed == nil {
		return 0
	}
	return int(l.chains[bucket{filed.number, xxhash.Sum64String(literal.text)}].count)
}

// add puts a condition at the head of a chain and returns the link, whose sibling is the given one.
func (l *links) add(slot, sibling uint32, in bucket) uint32 {
	at := l.free
	if at != 0 {
		l.free = l.all[at].next
	} else {
		at = uint32(len(l.all))
		l.all = append(l.all, link{})
	}
	found := l.chains[in]
	l.all[at] = link{bucket: in, slot: slot, next: found.head, sibling: sibling}
	if found.head != 0 {
		l.all[found.head].previous = at
	}
	l.chains[in] = chain{at, found.count + 1}
	l.use(in, 1)
	return at
}

func (l *links) use(in bucket, by int) {
	if in.place != 0 {
		l.places[in.place-1].users += by
	}
}

// remove takes a condition's links out of their chains.
func (l *links) remove(first uint32) {
	for at := first; at != 0; {
		one := l.all[at]
		found := l.chains[one.bucket]
		found.count--
		if one.previous != 0 {
			l.all[one.previous].next = one.next
		} else {
			found.head = one.next
		}
		if one.next != 0 {
			l.all[one.next].previous = one.previous
		}
		if found.count == 0 {
			delete(l.chains, one.bucket)
		} else {
			l.chains[one.bucket] = found
		}
		l.use(one.bucket, -1)
		l.all[at] = link{next: l.free}
		l.free, at = at, one.sibling
	}
}

// collect appends the conditions of a chain.
func (l *links) collect(to []uint32, in bucket) []uint32 {
	for at := l.chains[in].head; at != 0; at = l.all[at].next {
		to = append(to, l.all[at].slot)
	}
	return to
}
