// Package cron decides when functions start by the clock: which instants a schedule names, which of them is due, and what a
// tick starts its function with.
//
// A schedule is five fields (minute, hour, day of month, month, day of week) that are compared with the clock on the wall of
// a time zone. From that follows what happens when the wall clock is changed: a time that is skipped does not come, one that is
// repeated comes twice. Stored schedules may also be descriptors, which registrations are refused with:
//
//	schedule   = [ ( "TZ=" | "CRON_TZ=" ) zone " " ] ( minute hour day month weekday | descriptor )
//	descriptor = "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" | "@every " duration
//
// Source: spec 12 §9.
package cron

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	robfig "github.com/robfig/cron/v3"
)

// Schedule is a schedule that was read. The zero value has no ticks.
type Schedule struct {
	// fields are the sets of what matches, as bits. Seconds are always 0.
	fields *robfig.SpecSchedule
	zone   *time.Location
	// every is set instead of fields for "@every": whole seconds, at least one.
	every time.Duration
}

var parser = robfig.NewParser(robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow | robfig.Descriptor)

// Parse reads a schedule. Without a zone of its own it follows the one given, which is also what the name "Local" stands for;
// an empty name is UTC.
func Parse(text string, zone *time.Location) (Schedule, error) {
	rest := text
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		_, named, _ := strings.Cut(text, "=")
		name, fields, found := strings.Cut(named, " ")
		if !found {
			return Schedule{}, fmt.Errorf("schedule %q has a zone and nothing else", text)
		}
		rest = fields
		if name != "Local" {
			own, err := time.LoadLocation(name)
			if err != nil {
				return Schedule{}, fmt.Errorf("schedule %q: %w", text, err)
			}
			zone = own
		}
	}
	// The parser reads fields only; with a zone in front it does not look for that of the process.
	parsed, err := parser.Parse("TZ=UTC " + rest)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %w", text, err)
	}
	if every, ok := parsed.(robfig.ConstantDelaySchedule); ok {
		return Schedule{every: every.Delay}, nil
	}
	fields, ok := parsed.(*robfig.SpecSchedule)
	if !ok {
		return Schedule{}, fmt.Errorf("schedule %q is of the unknown kind %T", text, parsed)
	}
	return Schedule{fields: fields, zone: zone}, nil
}

// yearsAhead is how far Next looks. A schedule that has no tick in as many years has none.
const yearsAhead = 5

// Next is the first tick after the instant, in UTC and with whole seconds; the zero time when there is none. An "@every" counts
// from the instant.
func (s Schedule) Next(after time.Time) time.Time {
	if s.every > 0 {
		return time.Unix(after.Unix(), 0).UTC().Add(s.every)
	}
	if s.fields == nil {
		return time.Time{}
	}
	// Between two changes of the zone's offset the wall clock runs evenly, so each stretch is searched by its own.
	from := time.Unix(after.Unix()+1, 0).In(s.zone)
	for last := from.Year() + yearsAhead; ; {
		_, offset := from.Zone()
		_, end := from.ZoneBounds()
		shift := time.Duration(offset) * time.Second
		wall, found := s.match(wallMinute(from.UTC().Add(shift)), last)
		if !found {
			return time.Time{}
		}
		at := wall.Add(-shift)
		if end.IsZero() || at.Before(end) {
			return at
		}
		from = end.In(s.zone)
	}
}

// wallMinute is the first whole minute that is not before an instant.
func wallMinute(wall time.Time) time.Time {
	minute := wall.Truncate(time.Minute)
	if minute.Before(wall) {
		return minute.Add(time.Minute)
	}
	return minute
}

// match is the first minute of an even clock, from one of them on, that the fields name; false when there is none up to the end
// of the last year.
func (s Schedule) match(at time.Time, lastYear int) (time.Time, bool) {
	for {
		year, month, day := at.Date()
		switch {
		case year > lastYear:
			return time.Time{}, false
		case !has(s.fields.Month, int(month)):
			at = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case !s.day(at):
			at = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
			continue
		}
		hour, minute := at.Hour(), at.Minute()
		if next := from(s.fields.Hour, hour); next > hour {
			hour, minute = next, 0
		}
		minute = from(s.fields.Minute, minute)
		switch {
		case hour > 23:
			at = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case minute > 59:
			at = time.Date(year, month, day, hour+1, 0, 0, 0, time.UTC)
		default:
			return time.Date(year, month, day, hour, minute, 0, 0, time.UTC), true
		}
	}
}

// star is the bit of a field that restricts nothing.
const star = 1 << 63

// day says whether the fields name the day: both of them when one restricts nothing, else either.
func (s Schedule) day(at time.Time) bool {
	ofMonth, ofWeek := has(s.fields.Dom, at.Day()), has(s.fields.Dow, int(at.Weekday()))
	if (s.fields.Dom|s.fields.Dow)&star != 0 {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

func has(set uint64, n int) bool { return set>>n&1 != 0 }

// from is the first number of a set that is not below n; 63 or more when there is none.
func from(set uint64, n int) int { return n + bits.TrailingZeros64(set>>n) }

// Latest is the last tick that is after one instant and not after another; the zero time when there is none. It is what the
// scheduler fires: of the ticks that were missed, because the server was down or could not write, the last one comes late and
// those before it do not come. So whatever happened, a schedule starts its function once and not in a flood, and what starts is
// never older than the time between two ticks. The cost does not depend on how many were missed.
func (s Schedule) Latest(after, now time.Time) time.Time {
	first := s.Next(after)
	if first.IsZero() || first.After(now) {
		return time.Time{}
	}
	if s.every > 0 {
		return now.UTC().Add(-(now.Sub(first) % s.every))
	}
	second := s.Next(first)
	if second.IsZero() || second.After(now) {
		return first
	}
	// The tick after low is due, the one after high is not.
	low, high := first.Unix(), now.Unix()
	for high-low > 1 {
		middle := low + (high-low)/2
		if next := s.Next(time.Unix(middle, 0)); next.IsZero() || next.After(now) {
			high = middle
		} else {
			low = middle
		}
	}
	return s.Next(time.Unix(low, 0))
}

// setBack is how far a clock may be set back without a schedule taking note.
const setBack = 5 * time.Minute

// Since is the instant after which ticks are looked for, given the one up to which they have been dealt with. They are the same,
// unless the clock has been set back by more than five minutes: then the clock was wrong before, and the schedule begins anew
// rather than wait for a time that may be years ahead.
func Since(dealt, now time.Time) time.Time {
	if dealt.After(now.Add(setBack)) {
		return now
	}
	return dealt
}
