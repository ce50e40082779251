package flow

import (
	"fmt"
	"math"

	"github.com/ingothq/ingot/internal/domain/expr"
)

// Priority moves runs forward in their function's queue, or back.
//
// Source: spec 11 §9.
type Priority struct {
	program *expr.Program
}

// of is the factor of the event's run, 0 with the error if there is none.
func (p *Priority) of(s *expr.Subject) (int, error) {
	value, err := p.program.Value(s)
	if err != nil {
		return 0, err
	}
	return Factor(value)
}

// Factor is the factor in seconds that a value stands for, between -MaxFactor and MaxFactor. Any number will do (the reference takes
// integers only, which no number of an event is): fractions are cut off. Of any other value it is 0, with an error.
func Factor(value any) (int, error) {
	const most = float64(MaxFactor)
	switch value := value.(type) {
	case int64:
		return int(min(max(value, -MaxFactor), MaxFactor)), nil
	case uint64:
		return int(min(value, MaxFactor)), nil
	case float64:
		if !math.IsNaN(value) {
			return int(min(max(value, -most), most)), nil
		}
	}
	return 0, fmt.Errorf("Priority.Run expression returned non-int: %s", expr.Text(value))
}
