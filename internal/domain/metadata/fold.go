package metadata

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is the metadata of one kind that a target has.
type Value struct {
	Target Target
	Kind   string
	Values Values
	// UpdatedAt is when it was changed last.
	UpdatedAt time.Time
}

// Fold adds the updates of a run up, in order. The result is sorted: the run first, then steps by ID and attempt, the final
// one first; within a target by kind. A kind of a target that has no values left is not part of it.
func Fold(updates []Stored) []Value {
	type group struct {
		target Target
		kind   string
	}
	found := map[group]*Value{}
	for _, update := range updates {
		key := group{update.Target, update.Kind}
		value := found[key]
		if value == nil {
			value = &Value{Target: update.Target, Kind: update.Kind, Values: Values{}}
			found[key] = value
		}
		value.apply(update)
	}
	var values []Value
	for _, value := range found {
		if len(value.Values) > 0 {
			values = append(values, *value)
		}
	}
	slices.SortFunc(values, func(a, b Value) int {
		return cmp.Or(
			cmp.Compare(a.Target.StepID, b.Target.StepID), cmp.Compare(a.Target.Attempt, b.Target.Attempt),
			cmp.Compare(a.Target.SpanID, b.Target.SpanID), cmp.Compare(a.Kind, b.Kind),
		)
	})
	return values
}

func (v *Value) apply(update Stored) {
	v.UpdatedAt = update.At
	switch update.Op {
	case Set:
		v.Values = maps.Clone(update.Values)
		if v.Values == nil {
			v.Values = Values{}
		}
	case Delete:
		for name := range update.Values {
			delete(v.Values, name)
		}
	case Add:
		for name, value := range update.Values {
			v.Values[name] = add(v.Values[name], value)
		}
	case Merge:
		maps.Copy(v.Values, update.Values)
	}
}

// add adds two numbers. What is not there counts as nothing; what is there and is no number stays as it is, and so does a
// sum that is too large to be one. Whole numbers keep all their digits.
func add(present, more json.RawMessage) json.RawMessage {
	switch {
	case present == nil:
		return more
	case !isNumber(present):
		return present
	}
	if a, b := whole(present), whole(more); a != nil && b != nil {
		return json.RawMessage(a.Add(a, b).String())
	}
	a, _ := strconv.ParseFloat(string(present), 64) // both are numbers, as was checked
	b, _ := strconv.ParseFloat(string(more), 64)
	if math.IsInf(a+b, 0) {
		return present
	}
	return strconv.AppendFloat(nil, a+b, 'g', -1, 64)
}

// whole reads a number without fraction and exponent, nil for another one.
func whole(raw json.RawMessage) *big.Int {
	if strings.ContainsAny(string(raw), ".eE") {
		return nil
	}
	number, ok := new(big.Int).SetString(string(raw), 10)
	if !ok {
		return nil
	}
	return number
}
