package flow

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestFactor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  int
		err   string
	}{
		{int64(100), 100, ""},
		{int64(-10), -10, ""},
		{int64(43200), 43200, ""},
		{int64(43201), 43200, ""},
		{int64(-999999), -43200, ""},
		{int64(math.MinInt64), -43200, ""},
		{uint64(7), 7, ""},
		{uint64(math.MaxUint64), 43200, ""},
		{100.0, 100, ""},
		{2.9, 2, ""},
		{-2.9, -2, ""},
		{0.999, 0, ""},
		{1e300, 43200, ""},
		{-1e300, -43200, ""},
		{math.Inf(1), 43200, ""},
		{math.Inf(-1), -43200, ""},
		{math.NaN(), 0, "Priority.Run expression returned non-int: NaN"},
		{false, 0, "Priority.Run expression returned non-int: false"},
		{true, 0, "Priority.Run expression returned non-int: true"},
		{"100", 0, "Priority.Run expression returned non-int: 100"},
		{nil, 0, "Priority.Run expression returned non-int: NULL_VALUE"},
		{[]any{1.0}, 0, "Priority.Run expression returned non-int: [1]"},
	} {
		got, err := Factor(c.value)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if got != c.want || message != c.err {
			t.Errorf("%T %[1]v: %d, %q, want %d, %q", c.value, got, message, c.want, c.err)
		}
	}
}

// TestFactor_OfEvents: literals, conversions and, better than the reference, plain numbers of events (spec 11 §9, W15).
func TestFactor_OfEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expression, data string
		want, faults     int
	}{
		{`event.data.plan == "paid" ? 100 : 0`, `{"plan":"paid"}`, 100, 0},
		{`event.data.plan == "paid" ? 100 : 0`, `{}`, 0, 0},
		{`int(event.data.priority)`, `{"priority":50}`, 50, 0},
		{`event.data.priority`, `{"priority":50}`, 50, 0},
		{`event.data.priority`, `{"priority":-10.5}`, -10, 0},
		{`event.data.priority`, `{}`, 0, 1},
		{`event.data["priority"]`, `{}`, 0, 1},
	} {
		settings := compile(t, function.Settings{Priority: &function.Priority{Run: &c.expression}})
		if v := settings.Evaluate(eventOf(1, c.data).Event, FromEvent, epoch); v.Factor != c.want || len(v.Faults) != c.faults {
			t.Errorf("%s of %s: %d %v, want %d", c.expression, c.data, v.Factor, v.Faults, c.want)
		}
	}
}

// TestFactor_IsItsModel: exact arithmetic, cut off and clamped.
func TestFactor_IsItsModel(t *testing.T) {
	t.Parallel()
	model := func(value *big.Float) int {
		whole, _ := value.Int(nil)
		switch bound := big.NewInt(MaxFactor); {
		case whole.Cmp(bound) > 0:
			return MaxFactor
		case whole.Cmp(bound.Neg(bound)) < 0:
			return -MaxFactor
		}
		return int(whole.Int64())
	}
	rapid.Check(t, func(r *rapid.T) {
		whole := rapid.Int64().Draw(r, "integer")
		natural := rapid.Uint64().Draw(r, "natural")
		number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-50000, 50000)).Draw(r, "number")
		for value, want := range map[any]int{
			whole: model(new(big.Float).SetInt64(whole)), natural: model(new(big.Float).SetUint64(natural)), number: model(big.NewFloat(number)),
		} {
			if got, err := Factor(value); got != want || err != nil {
				r.Fatalf("%T %[1]v: %d, %v, want %d", value, got, err, want)
			}
		}
	})
}
