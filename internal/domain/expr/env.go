package expr

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
)

// Limits of an expression's text (spec 12 §4).
const (
	maxCodePoints = 100_000
	maxNesting    = 250
)

// language is what all programs share: how expressions are checked and what the standard functions do.
type language struct {
	env *cel.Env
	// standard are the implementations of the functions that are not of our own, by name.
	standard map[string]*functions.Overload
}

// sharedLanguage builds the language at its first use. That and the first text that is parsed take about 10 ms together, which a
// server that meets no expression must not pay.
var sharedLanguage = sync.OnceValues(func() (*language, error) { return newLanguage() })

// loose are the operators that accept operands of any two types, unlike CEL's own, and what they return.
var loose = map[string]*cel.Type{
	operators.Add:           cel.DynType,
	operators.Equals:        cel.BoolType,
	operators.NotEquals:     cel.BoolType,
	operators.Less:          cel.BoolType,
	operators.LessEquals:    cel.BoolType,
	operators.Greater:       cel.BoolType,
	operators.GreaterEquals: cel.BoolType,
}

func newLanguage(extra ...cel.EnvOption) (*language, error) {
	anything := cel.MapType(cel.StringType, cel.DynType)
	subset := celenv.NewLibrarySubset()
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset)),
		cel.Variable("event", anything), cel.Variable("async", anything), cel.Variable("vars", anything),
		cel.ParserExpressionSizeLimit(maxCodePoints), cel.ParserRecursionLimit(maxNesting),
		cel.EnableMacroCallTracking(), // Interpolate prints macros as they were written
	}
	for name, result := range loose {
		subset.ExcludeFunctions = append(subset.ExcludeFunctions, celenv.NewFunction(name))
		options = append(options, cel.Function(name, cel.Overload("loose"+name, []*cel.Type{cel.DynType, cel.DynType}, result)))
	}
	for name, own := range ownFunctions {
		options = append(options, cel.Function(name, cel.Overload("own_"+name, own.parameters, own.result)))
	}
	env, err := cel.NewCustomEnv(append(options, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("build expression environment: %w", err)
	}
	// The first name that is not declared makes the checker list all that are, for its suggestion. This release writes that list
	// while the check of a macro may be reading it, so it is made before others use the environment.
	env.Compile("undeclared")
	standard := map[string]*functions.Overload{}
	for name, declared := range env.Functions() {
		bindings, err := declared.Bindings()
		if err != nil {
			return nil, fmt.Errorf("bind expression function %s: %w", name, err)
		}
		for _, binding := range bindings {
			if binding.Operator == name {
				standard[name] = binding
			}
		}
	}
	return &language{env: env, standard: standard}, nil
}
