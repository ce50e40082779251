package function

import (
	"fmt"
	"time"

	"github.com/ingothq/ingot/internal/domain/duration"
)

// Limits of flow control (spec 01 §4.6).
const (
	maxStepLimits     = 2
	minBatchSize      = 2
	minBatchTimeout   = time.Second
	minDebounce       = time.Second
	maxDebounce       = duration.Week
	maxRateLimitRange = duration.Day
)

func (c *complaints) concurrency(limits *Concurrency, checks Checks) {
	if limits == nil {
		return
	}
	if len(limits.Step) > maxStepLimits {
		c.add("There are more concurrency limits specified than the allowed max of: %d", maxStepLimits)
	}
	for _, limit := range limits.Step {
		c.expression(checks.Expression, limit.Key, fmt.Sprintf("Invalid concurrency key '%s':", limit.Key))
		if limit.Key == "" && limit.Scope != ScopeFunction {
			c.add("A concurrency key must be specified for %s scoped limits", limit.Scope)
		}
	}
	if len(limits.Run) > 1 {
		c.add("Only one function concurrency limit is allowed")
		return
	}
	for _, limit := range limits.Run {
		c.runLimit(limit, checks)
	}
}

func (c *complaints) runLimit(limit RunLimit, checks Checks) {
	switch limit.Scope {
	case "", RunScopeFunction:
	case RunScopeApp:
		c.add("app-scoped function concurrency cannot be set by users")
		return
	default:
		c.add("invalid function concurrency scope: %s", limit.Scope)
	}
	if limit.Limit <= 0 {
		c.add("function concurrency limit must be > 0")
	}
	c.expression(checks.Expression, limit.Key, fmt.Sprintf("invalid function concurrency key '%s':", limit.Key))
}

func (c *complaints) batch(settings Settings, checks Checks) {
	batch := settings.Batch
	if batch == nil {
		return
	}
	if batch.MaxSize < minBatchSize {
		c.add("batch size cannot be smaller than %d: %d", minBatchSize, batch.MaxSize)
	}
	// A timeout that is no duration never gets here: such a function is not converted.
	if timeout, err := time.ParseDuration(batch.Timeout); err != nil || timeout < minBatchTimeout {
		c.add("batch timeout should be more than %s", minBatchTimeout)
	}
	c.expression(checks.Expression, batch.Key, "batch key expression is invalid:")
	c.expression(checks.Expression, batch.If, "conditional batch expression is invalid")
	if len(settings.Cancel) > 0 {
		c.add("Batching and cancellation are mutually exclusive")
	}
	if settings.Debounce != nil {
		c.add("Batching and debouncing are mutually exclusive")
	}
	if settings.Singleton != nil {
		c.add("Batching and singletons are mutually exclusive")
	}
}

func (c *complaints) priority(settings Settings, checks Checks) {
	if settings.Priority == nil || settings.Priority.Run == nil {
		return
	}
	if settings.Batch != nil {
		c.add("A function cannot specify Priority.Run and Batch together")
	}
	c.expression(checks.Expression, *settings.Priority.Run, "Priority.Run expression is invalid:")
}

// debounce reports a period that is no duration twice, as unreadable and as too short: clients know both texts.
func (c *complaints) debounce(debounce *Debounce, checks Checks) {
	if debounce == nil {
		return
	}
	c.expression(checks.Expression, debounce.Key, "Debounce expression is invalid:")
	period, err := parseDuration(debounce.Period)
	if err != nil {
		c.add("The debounce period of '%s' is invalid: %s", debounce.Period, err)
	}
	switch {
	case period < minDebounce:
		c.add("The debounce period of '%s' is less than the min of: %s", debounce.Period, minDebounce)
	case period > maxDebounce:
		c.add("The debounce period of '%s' is greater than the max of: %s", debounce.Period, maxDebounce)
	}
}

func (c *complaints) rateLimit(limit *RateLimit, checks Checks) {
	if limit == nil {
		return
	}
	if limit.Limit <= 0 {
		c.add("limit must be greater than 0")
	}
	c.expression(checks.Expression, limit.Key, "key is invalid:")
	if limit.Period == "" {
		c.add("period must be specified")
		return
	}
	period, err := parseDuration(limit.Period)
	switch {
	case err != nil:
		c.add("failed to parse time duration: %s", err)
	case period > maxRateLimitRange:
		c.add("period must be less than %s", maxRateLimitRange)
	}
}
