package function

import (
	"fmt"
	"net/url"
	"strings"
)

// Limits of a function (spec 01 §1, §4.6).
const (
	maxTriggers   = 10
	maxCancels    = 5
	maxNameLength = 255
)

// Checks are the checks of expressions that the caller supplies. The text of an error goes into the app's error.
type Checks struct {
	// Expression says whether a text is an expression at all.
	Expression func(text string) error
	// Condition says whether a text is an expression of boolean logic only, without macros and function calls.
	Condition func(text string) error
}

// complaints collects what is wrong with a function, in order.
type complaints []string

func (c *complaints) add(format string, values ...any) {
	*c = append(*c, fmt.Sprintf(format, values...))
}

// expression complains, after the given words, about a text that is no expression. An empty text is none at all.
func (c *complaints) expression(check func(string) error, text, words string) {
	if text == "" {
		return
	}
	if err := check(text); err != nil {
		c.add("%s %s", words, err)
	}
}

// ErrorText words the complaints about the functions of an app as the app's error (spec 01 §4.6).
func ErrorText(complaints []string) string {
	return fmt.Sprintf("%d errors occurred: * %s", len(complaints), strings.Join(complaints, " * "))
}

// validate finds everything that a declared function and its converted form are refused for. Timeouts, the keys of throttles and
// singletons, upper bounds of batches and the like are deliberately not looked at (spec 01 §4.6): no more is refused than apps
// are used to. Whoever registers names such settings.
func validate(d Declared, f Function, steps []Step, checks Checks) []string {
	var found complaints
	if f.Name == "" {
		found.add("A function name is required")
	}
	found.triggers(d.Triggers, checks)
	found.steps(steps)
	found.concurrency(f.Settings.Concurrency, checks)
	found.batch(f.Settings, checks)
	found.priority(f.Settings, checks)
	found.debounce(f.Settings.Debounce, checks)
	found.rateLimit(f.Settings.RateLimit, checks)
	found.cancels(f.Settings.Cancel, checks)
	return found
}

func (c *complaints) steps(steps []Step) {
	for _, step := range steps {
		if step.Name == "" {
			c.add("All steps must have a name")
		}
		parsed, err := url.Parse(step.URI)
		if err != nil {
			c.add("Invalid step URL: %s", err)
			continue
		}
		switch parsed.Scheme {
		case "http", "https", "ws", "wss":
		default:
			c.add("Non-supported step schema: %s", parsed.Scheme)
		}
	}
	if len(steps) != 1 {
		c.add("Functions must contain one step")
	}
}

func (c *complaints) cancels(cancels []Cancel, checks Checks) {
	if len(cancels) > maxCancels {
		c.add("This function exceeds the max number of cancellation events: %d", maxCancels)
	}
	for _, cancel := range cancels {
		c.expression(checks.Condition, cancel.If, "Cancellation expression is invalid:")
	}
}
