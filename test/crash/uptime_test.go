package crash

import (
	"slices"
	"time"
)

// life is one process of the server, from outside.
type life struct {
	launched time.Time // before it was executed
	ready    time.Time // when it was seen to be ready; zero if it was killed before
	killed   time.Time // before SIGKILL was sent; zero for the last one
	gone     time.Time // when the process had ended and its connections were cut; zero for the last one
}

// lives are all processes of a test, in their order; none overlaps another.
type lives []life

// cut returns when the server that had opened a connection at some time was gone; zero if it never was.
func (l lives) cut(connected time.Time) time.Time {
	for _, one := range l {
		if !one.gone.IsZero() && one.gone.After(connected) {
			return one.gone
		}
	}
	return time.Time{}
}

// before returns the moment from which to t the server was ready for so long, counting nothing of the time in which it
// was down or started; zero if it was not ready for that long.
func (l lives) before(t time.Time, ready time.Duration) time.Time {
	for i := len(l) - 1; i >= 0; i-- {
		one := l[i]
		if one.ready.IsZero() || !one.ready.Before(t) {
			continue
		}
		end := t
		if !one.killed.IsZero() && one.killed.Before(t) {
			end = one.killed
		}
		if span := end.Sub(one.ready); span < ready {
			ready -= span
			continue
		}
		return end.Add(-ready)
	}
	return time.Time{}
}

// hit reports whether the server was killed at most that long after t.
func (l lives) hit(t time.Time, after time.Duration) bool {
	return slices.ContainsFunc(l, func(one life) bool {
		return !one.killed.IsZero() && !one.gone.Before(t) && one.killed.Sub(t) <= after
	})
}
