package duration

import "time"

// goTimeString is how Go prints a time.
const goTimeString = "2006-01-02 15:04:05.999999999 -0700 MST"

// dateForms are tried in this order.
var dateForms = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	time.RFC1123,
	time.RFC822,
	time.RFC822Z,
	time.RFC850,
	time.RubyDate,
	time.UnixDate,
	time.ANSIC,
	time.Stamp,
	time.StampMilli,
	time.DateOnly,
	goTimeString,
}

// ParseDate reads a time in any of the forms that SDKs and API clients write it in; false when it is in none of them.
func ParseDate(text string) (time.Time, bool) {
	for _, form := range dateForms {
		if date, err := time.Parse(form, text); err == nil {
			return date, true
		}
	}
	return time.Time{}, false
}
