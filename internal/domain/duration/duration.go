// Package duration reads and writes the durations of function configs, sleeps and timeouts: Go's syntax plus days and
// weeks.
//
//	duration = [ "+" | "-" ] ( "0" | part { part } )
//	part     = decimal unit                          decimal as "1", "1.5", ".5" or "1."
//	unit     = "ns" "us" "µs" "μs" "ms" "s" "m" "h" "d" (24 h) "w" (168 h)
//
// Source: spec 01 §4.2, spec 12 §10.1.
package duration

import (
	"errors"
	"strconv"
	"time"
)

// Day and Week are the units that Go's syntax lacks.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

// ErrInvalid says that a text is not a duration, or that it is one of more than about 292 years. Every error of
// ParseDuration is one.
var ErrInvalid = errors.New("invalid duration")

// syntaxError is an ErrInvalid in the words that users of the reference see, those of Go's time package.
type syntaxError string

func (e syntaxError) Error() string { return "time: " + string(e) }

func (e syntaxError) Is(target error) bool { return target == ErrInvalid }

// parts are the units that Format writes, largest first.
var parts = [...]struct {
	unit string
	size uint64
}{
	{"w", uint64(Week)},
	{"d", uint64(Day)},
	{"h", uint64(time.Hour)},
	{"m", uint64(time.Minute)},
	{"s", uint64(time.Second)},
	{"ms", uint64(time.Millisecond)},
	{"us", uint64(time.Microsecond)},
	{"ns", 1},
}

// maxMagnitude is the size of the smallest duration, one more than that of the largest.
const maxMagnitude = uint64(1) << 63

// ParseDuration reads a duration. An error is an ErrInvalid; its text is `time: invalid duration "<text>"`,
// `time: missing unit in duration "<text>"` or `time: unknown unit "<unit>" in duration "<text>"`.
func ParseDuration(text string) (time.Duration, error) {
	rest, negative := cutSign(text)
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, invalid(text)
	}
	var total uint64
	for rest != "" {
		size, after, err := parsePart(rest, text)
		if err != nil {
			return 0, err
		}
		total += size
		if total > maxMagnitude {
			return 0, invalid(text)
		}
		rest = after
	}
	if negative {
		return -time.Duration(total), nil
	}
	if total == maxMagnitude {
		return 0, invalid(text)
	}
	return time.Duration(total), nil
}

func invalid(text string) error {
	return syntaxError("invalid duration " + strconv.Quote(text))
}

func cutSign(text string) (rest string, negative bool) {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		return text[1:], text[0] == '-'
	}
	return text, false
}

// parsePart reads one number with its unit off the front of text, a part of whole. The size is at most maxMagnitude.
func parsePart(text, whole string) (size uint64, rest string, err error) {
	integer, rest := digits(text)
	fraction := ""
	if rest != "" && rest[0] == '.' {
		fraction, rest = digits(rest[1:])
	}
	if integer == "" && fraction == "" {
		return 0, "", invalid(whole)
	}
	unit, rest := cutUnit(rest)
	if unit == "" {
		return 0, "", syntaxError("missing unit in duration " + strconv.Quote(whole))
	}
	unitSize := sizeOf(unit)
	if unitSize == 0 {
		return 0, "", syntaxError("unknown unit " + strconv.Quote(unit) + " in duration " + strconv.Quote(whole))
	}
	count, err := strconv.ParseUint("0"+integer, 10, 64)
	if err != nil || count > maxMagnitude/unitSize {
		return 0, "", invalid(whole)
	}
	size = count*unitSize + fractionOf(fraction, unitSize)
	if size > maxMagnitude {
		return 0, "", invalid(whole)
	}
	return size, rest, nil
}

// digits cuts the leading digits off a text.
func digits(text string) (number, rest string) {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return text[:end], text[end:]
}

// cutUnit cuts everything up to the next number off a text.
func cutUnit(text string) (unit, rest string) {
	end := 0
	for end < len(text) && text[end] != '.' && (text[end] < '0' || text[end] > '9') {
		end++
	}
	return text[:end], text[end:]
}

// sizeOf returns the nanoseconds of a unit, 0 for an unknown one.
func sizeOf(unit string) uint64 {
	if unit == "µs" || unit == "μs" {
		unit = "us"
	}
	for _, part := range parts {
		if part.unit == unit {
			return part.size
		}
	}
	return 0
}

// fractionOf returns the digits after a point as nanoseconds, rounded down; digits beyond the 18th have no weight.
func fractionOf(fraction string, unitSize uint64) uint64 {
	const maxDigits = 18
	number, scale := 0.0, 1.0
	for _, digit := range fraction[:min(len(fraction), maxDigits)] {
		number = number*10 + float64(digit-'0')
		scale *= 10
	}
	return uint64(number * (float64(unitSize) / scale))
}

// Format writes a duration in the shortest form that ParseDuration reads back: 36 h is "1d12h", zero is "0s".
func Format(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	text := make([]byte, 0, len("-15250w1d23h47m16s854ms775us808ns"))
	left := uint64(d)
	if d < 0 {
		text = append(text, '-')
		left = -left
	}
	for _, part := range parts {
		if count := left / part.size; count > 0 {
			text = strconv.AppendUint(text, count, 10)
			text = append(text, part.unit...)
			left %= part.size
		}
	}
	return string(text)
}
