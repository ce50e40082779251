package function

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Bounds of a cron trigger's jitter.
const (
	minJitter = time.Second
	maxJitter = 5 * time.Minute
)

func (c *complaints) triggers(triggers []DeclaredTrigger, checks Checks) {
	if len(triggers) > maxTriggers {
		c.add("This function exceeds the max number of triggers: %d", maxTriggers)
	}
	seen, crons := map[string]bool{}, map[string]bool{}
	for _, trigger := range triggers {
		c.trigger(trigger, checks)
		c.repeated(trigger, seen)
		if expression := text(trigger.Cron); expression != "" {
			if crons[expression] {
				c.add("duplicate cron expression: %s", expression)
			}
			crons[expression] = true
		}
	}
}

// repeated complains about a trigger that an earlier one equals in all its parts.
func (c *complaints) repeated(trigger DeclaredTrigger, seen map[string]bool) {
	event, schedule := text(trigger.Event), text(trigger.Cron)
	var identity, complaint string
	switch {
	case schedule != "":
		identity = fmt.Sprintf("cron %q %q", schedule, text(trigger.Jitter))
		complaint = "duplicate trigger cron: " + schedule
	case event != "":
		identity = fmt.Sprintf("event %q %q", event, text(trigger.Expression))
		complaint = "duplicate trigger event: " + event
	default:
		return
	}
	if seen[identity] {
		c.add("%s", complaint)
	}
	seen[identity] = true
}

func (c *complaints) trigger(trigger DeclaredTrigger, checks Checks) {
	isEvent := trigger.Event != nil || trigger.Expression != nil
	isCron := trigger.Cron != nil || trigger.Jitter != nil
	switch {
	case isEvent && isCron:
		c.add("A trigger cannot have both an event and a cron trigger")
	case isEvent:
		c.eventTrigger(text(trigger.Event), text(trigger.Expression), checks)
	case isCron:
		c.cronTrigger(text(trigger.Cron), text(trigger.Jitter))
	default:
		c.add("A trigger must supply an event name or a cron schedule")
	}
}

func (c *complaints) eventTrigger(event, expression string, checks Checks) {
	switch {
	case event == "":
		c.add("An event trigger must specify an event name")
	case len(event) > maxNameLength:
		c.add("event name is too long. maximum length is %d characters", maxNameLength)
	}
	c.expression(checks.Expression, expression, fmt.Sprintf("invalid trigger expression on '%s':", event))
}

func (c *complaints) cronTrigger(schedule, jitter string) {
	switch {
	case len(schedule) > maxNameLength:
		c.add("cron is too long. maximum length is %d characters", maxNameLength)
	case !ValidCron(schedule):
		c.add("'%s' isn't a valid cron schedule", schedule)
	}
	if jitter == "" {
		return
	}
	delay, err := parseDuration(jitter)
	switch {
	case err != nil:
		c.add("'%s' isn't a valid jitter duration", jitter)
	case delay < 0:
		c.add("cron jitter must be greater than or equal to zero")
	case delay > 0 && delay < minJitter:
		c.add("cron jitter must be at least %s", minJitter)
	case delay > maxJitter:
		c.add("cron jitter must be less than or equal to %s", maxJitter)
	}
}

// ValidCron says whether a text is a schedule of five fields (minute, hour, day of month, month, day of week), after an
// optional "TZ=<zone> " or "CRON_TZ=<zone> ". Descriptors such as "@daily" are not. Zones come from the system's
// database (spec 12).
func ValidCron(text string) bool {
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		// The parser fails to look before it cuts a zone off.
		if !strings.Contains(text, " ") {
			return false
		}
	}
	_, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(text)
	return err == nil
}
