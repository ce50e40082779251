package expr

import (
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/cespare/xxhash/v2"
)

// Key is something that an incoming event can have in common with a condition: a value at a place. Both parts are plain text, so that
// a store can hold them.
type Key struct {
	// Path leads to a member of the event, as in "/data/id"; with "/*" at its end, to the elements of a list or the keys of an
	// object. "~", "/" and "*" within names are written ~0, ~1 and ~2.
	Path string
	// Literal is the value's canonical form: equal values have equal ones, whatever their kind of number; null and missing share
	// one. A long form is replaced by its hash.
	Literal string
}

// longLiteral is the length above which a key holds a hash.
const longLiteral = 100

func keyLiteral(text string) string {
	if len(text) <= longLiteral {
		return text
	}
	return "#" + strconv.FormatUint(xxhash.Sum64String(text), 16)
}

// Keys are what to file a condition under: an incoming event that meets it (MatchAsync) has at least one of them. No keys and true
// mean that no event can meet it; false that nothing can be said, so that it is a candidate for each event.
func (p *Program) Keys() ([]Key, bool) {
	var best requirement
	for _, one := range requirements(p.clauses, nil) {
		if best == nil || len(one) < len(best) || len(one) == len(best) && one.weakness() < best.weakness() {
			best = one
		}
	}
	if best == nil {
		return nil, false
	}
	keys := make([]Key, len(best))
	for at, one := range best {
		keys[at] = Key{one.place.pointer, keyLiteral(one.text)}
	}
	return keys, true
}

// weakness counts the values that many events share.
func (r requirement) weakness() int {
	count := 0
	for _, one := range r {
		if one.text == canonicalNull || one.text == canonicalFalse || one.text == "true" {
			count++
		}
	}
	return count
}

// KeysAt are the keys that the event has at a path, one unless the path ends in "/*".
func (s *Subject) KeysAt(path string) []Key {
	var keys []Key
	s.literalsAt(placeOf(path), nil, func(literal []byte) {
		keys = append(keys, Key{path, keyLiteral(string(literal))})
	})
	return keys
}

// literalsAt visits the canonical forms of what is at a place, each valid until the next, in the given buffer.
func (s *Subject) literalsAt(at *place, buffer []byte, visit func(literal []byte)) {
	var wanted needs
	wanted.add(at.path)
	// A payload that cannot be decoded is missing here: no condition that looks at it can be met.
	_ = s.decode(wanted)
	value, _ := s.find(at.path)
	if !at.among {
		visit(canonicalJSON(buffer, value))
		return
	}
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			visit(canonicalJSON(buffer, element))
		}
	case map[string]any:
		for name := range value {
			visit(canonicalJSON(buffer, name))
		}
	}
}

// literals are the values of which the place must have one.
func (f fact) literals(value ref.Val) []ref.Val {
	if !f.each {
		return []ref.Val{value}
	}
	var found []ref.Val
	if elements, ok := value.(traits.Iterable); ok {
		for at := elements.Iterator(); at.HasNext() == types.True; {
			found = append(found, at.Next())
		}
	}
	return found
}
