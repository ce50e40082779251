package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/cron"
)

// at reads an instant: "2026-08-21 00:05" or with seconds, in UTC.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	layout := "2006-01-02 15:04:05"
	if strings.Count(text, ":") == 1 {
		layout = "2006-01-02 15:04"
	}
	instant, err := time.Parse(layout, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func parsed(t testing.TB, text string, zone *time.Location) cron.Schedule {
	t.Helper()
	schedule, err := cron.Parse(text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return schedule
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loaded, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// accepted are what registrations may hold, stored what only stored functions may. Spec 12 §9.1.
var (
	accepted = []string{
		"* * * * *", "*/5 * * * *", "5/10 * * * *", "*/100 * * * *", "1,2,3 * * * *", "0 0 1 jan *", "0 0 * jan-mar *", "0 0 * * SUN",
		"0 0 * * mon-fri", "0 0 ? * ?", "0 0 30 2 *", " \t0  9 * * * ", "* * * * *,", "TZ=UTC * * * * *", "TZ=Europe/Paris 0 9 * * *",
		"CRON_TZ=America/New_York 0 9 * * *", "CRON_TZ= * * * * *", "TZ=Local 0 9 * * *",
	}
	stored = []string{
		"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@every 1h", "@every 90s", "TZ=Asia/Tokyo @daily",
	}
	refused = []string{
		"0 0 * * 7", "60 * * * *", "0 24 * * *", "0 0 32 * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "0-70 * * * *", "10-5 * * * *", "*/0 * * * *",
		"-1 * * * *", "1.5 * * * *", "a * * * *", "0 0 L * *", "0 0 1W * *", "0 0 * * 1#2", "* * * *", "* * * * * *", "* * * * * * *", "", " ",
		"@invalid", "@every", "@every soon", "TZ=Nowhere/X * * * * *", "TZ=UTC 0 9 * *", "TZ=UTC", "TZ=", "CRON_TZ=UTC", "TZ=UTC ", "TZ=UTC TZ=UTC * * * *",
	}
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range append(append([]string(nil), accepted...), stored...) {
		if _, err := cron.Parse(text, time.UTC); err != nil {
			t.Errorf("%q is refused: %v", text, err)
		}
	}
	for _, text := range refused {
		if schedule, err := cron.Parse(text, time.UTC); err == nil || schedule != (cron.Schedule{}) {
			t.Errorf("%q is accepted as %v", text, schedule)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schedule, from, want string }{
		// Spec 12 §9.1.
		{"0 12 * * *", "2023-01-01 12:00", "2023-01-02 12:00"},
		{"*/5 * * * *", "2023-01-01 10:02", "2023-01-01 10:05"},
		{"* * * * *", "2023-01-01 10:05", "2023-01-01 10:06"},
		{"0 0 * * 1", "2023-01-01 10:00", "2023-01-02 00:00"},
		{"0 0 31 * *", "2023-02-01 10:00", "2023-03-31 00:00"},
		{"0 0 31 2,4,6,9,11 *", "2023-01-01 00:00", ""},
		{"0 0 30 2 *", "2023-01-01 00:00", ""},
		{", * * * *", "2023-01-01 00:00", ""},
		// Strictly after, at second 0.
		{"* * * * *", "2023-01-01 10:05:01", "2023-01-01 10:06"},
		{"* * * * *", "2023-01-01 10:05:59", "2023-01-01 10:06"},
		{"59 23 31 12 *", "2023-12-31 23:59", "2024-12-31 23:59"},
		{"5/10 * * * *", "2023-01-01 10:06", "2023-01-01 10:15"},
		{"*/100 * * * *", "2023-01-01 10:06", "2023-01-01 11:00"},
		{"0 0 29 2 *", "2023-01-01 00:00", "2024-02-29 00:00"},
		// Days: both must match when one is a star, else either; a step on a star restricts.
		{"0 0 13 * 5", "2023-01-01 00:00", "2023-01-06 00:00"},
		{"0 0 13 * 5", "2023-01-06 00:00", "2023-01-13 00:00"},
		{"0 0 */1 * 5", "2023-01-01 00:00", "2023-01-06 00:00"},
		{"0 0 */2 * 5", "2023-01-01 00:00", "2023-01-03 00:00"},
		{"0 0 13 * ?", "2023-01-01 00:00", "2023-01-13 00:00"},
		// Zones, those of the server and their own.
		{"TZ=Asia/Kolkata 0 9 * * *", "2023-01-01 00:00", "2023-01-01 03:30"},
		{"CRON_TZ=America/New_York 0 9 * * *", "2023-01-01 00:00", "2023-01-01 14:00"},
		{"CRON_TZ= 0 9 * * *", "2023-01-01 00:00", "2023-01-01 09:00"},
		// Descriptors.
		{"@yearly", "2023-01-01 00:00", "2024-01-01 00:00"},
		{"@annually", "2023-06-01 00:00", "2024-01-01 00:00"},
		{"@monthly", "2023-01-01 00:00", "2023-02-01 00:00"},
		{"@weekly", "2023-01-02 00:00", "2023-01-08 00:00"},
		{"@daily", "2023-01-01 00:00", "2023-01-02 00:00"},
		{"@midnight", "2023-01-01 12:00", "2023-01-02 00:00"},
		{"@hourly", "2023-01-01 12:30", "2023-01-01 13:00"},
		{"@every 90s", "2023-01-01 12:30", "2023-01-01 12:31:30"},
		{"@every 10ms", "2023-01-01 12:30", "2023-01-01 12:30:01"},
		{"@every 1500ms", "2023-01-01 12:30", "2023-01-01 12:30:01"},
	} {
		got := ""
		if next := parsed(t, c.schedule, time.UTC).Next(at(t, c.from)); !next.IsZero() {
			got = strings.TrimSuffix(next.Format("2006-01-02 15:04:05"), ":00")
			if next.Location() != time.UTC || next.Nanosecond() != 0 {
				t.Errorf("%s after %s: %v is not a whole second of UTC", c.schedule, c.from, next)
			}
		}
		if got != c.want {
			t.Errorf("%s after %s: got %s, want %s", c.schedule, c.from, got, c.want)
		}
	}
	if next := (cron.Schedule{}).Next(at(t, "2023-01-01 00:00")); !next.IsZero() {
		t.Errorf("no schedule has a tick at %v", next)
	}
}

// TestNext_WhenTheWallClockIsChanged: a time that is skipped does not come that day, one that is repeated comes twice, whether
// the schedule names the zone or follows the server's.
func TestNext_WhenTheWallClockIsChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, schedule, from string
		want                       []string
	}{
		{"skipped", "Europe/Paris", "30 2 * * *", "2026-03-28 00:00", []string{"2026-03-28 01:30", "2026-03-30 00:30"}},
		{"skipped, with a time that is not", "Europe/Paris", "30 1-3 * * *", "2026-03-29 00:00", []string{"2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 23:30"}},
		{"repeated", "Europe/Paris", "30 2 * * *", "2026-10-24 12:00", []string{"2026-10-25 00:30", "2026-10-25 01:30", "2026-10-26 01:30"}},
		{"repeated hour", "America/New_York", "0,30 1 1 11 *", "2026-10-31 00:00", []string{"2026-11-01 05:00", "2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30", "2027-11-01 05:00"}},
		{"midnight is skipped", "Africa/Cairo", "0 0 * * *", "2026-04-22 12:00", []string{"2026-04-22 22:00", "2026-04-24 21:00"}},
		{"a time after a midnight that is skipped", "Africa/Cairo", "30 5 24 4 *", "2026-04-22 12:00", []string{"2026-04-24 02:30"}},
		{"the day after a midnight that is skipped is another one", "Africa/Cairo", "0 9 24 * *", "2025-04-24 12:00", []string{"2025-05-24 06:00"}},
		{"the day of a midnight that is skipped", "Africa/Cairo", "0 9 * * 5", "2023-04-27 12:00", []string{"2023-04-28 06:00"}},
		{"half an hour", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00", []string{"2026-10-04 15:15", "2026-10-05 15:15"}},
		{"half an hour again", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 00:00", []string{"2026-04-04 14:45", "2026-04-04 15:15", "2026-04-05 15:15"}},
		{"a day that never was", "Pacific/Apia", "0 12 30 12 *", "2011-12-01 00:00", []string{"2012-12-29 22:00"}},
	} {
		for by, schedule := range map[string]cron.Schedule{
			"its own zone":      parsed(t, "TZ="+c.zone+" "+c.schedule, time.UTC),
			"the server's zone": parsed(t, c.schedule, zone(t, c.zone)),
			"Local":             parsed(t, "TZ=Local "+c.schedule, zone(t, c.zone)),
		} {
			var got []string
			for next := at(t, c.from); len(got) < len(c.want); {
				next = schedule.Next(next)
				got = append(got, next.Format("2006-01-02 15:04"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, by %s: -want +got:\n%s", c.name, by, diff)
			}
		}
	}
}

// drawn is some schedule, with the numbers that each field has.
func drawn(t *rapid.T) string {
	field := func(low, high int) string {
		number := rapid.IntRange(low, high)
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0, 1:
			return "*"
		case 2:
			return "*/" + itoa(rapid.IntRange(1, high).Draw(t, "step"))
		case 3:
			return itoa(number.Draw(t, "first")) + "," + itoa(number.Draw(t, "second"))
		default:
			return itoa(number.Draw(t, "number")) + "/" + itoa(rapid.IntRange(1, high).Draw(t, "step"))
		}
	}
	return strings.Join([]string{field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)}, " ")
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

// matches says whether the wall clock of an instant is one that the fields name, in the words of the specification.
func matches(schedule string, wall time.Time) bool {
	fields := strings.Fields(schedule)
	in := func(field string, value, high int) bool {
		for part := range strings.SplitSeq(field, ",") {
			base, step, stepped := strings.Cut(part, "/")
			first, last, by := 0, high, 1
			if base != "*" {
				first = number(base)
				if last = first; stepped {
					last = high
				}
			} else if high == 31 || high == 12 {
				first = 1
			}
			if stepped {
				by = number(step)
			}
			if value >= first && value <= last && (value-first)%by == 0 {
				return true
			}
		}
		return false
	}
	free := func(field string) bool { return field == "*" || field == "*/1" }
	day, weekday := in(fields[2], wall.Day(), 31), in(fields[4], int(wall.Weekday()), 6)
	named := day && weekday
	if !free(fields[2]) && !free(fields[4]) {
		named = day || weekday
	}
	return named && in(fields[0], wall.Minute(), 59) && in(fields[1], wall.Hour(), 23) && in(fields[3], int(wall.Month()), 12)
}

func number(text string) int {
	n := 0
	for _, digit := range text {
		n = n*10 + int(digit-'0')
	}
	return n
}

var zones = []string{"UTC", "Europe/Paris", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "Antarctica/Troll"}

// TestNext_AgreesWithAWalkOverTheMinutes compares with looking at every minute of some days, most of them around a change of
// the wall clock.
func TestNext_AgreesWithAWalkOverTheMinutes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawn(t)
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		schedule, err := cron.Parse(text, zone)
		if err != nil {
			t.Fatalf("%q is refused: %v", text, err)
		}
		start := time.Date(rapid.IntRange(2017, 2032).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 366*24*3600).Draw(t, "second")) * time.Second)
		if _, end := start.In(zone).ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(t, "at a change") {
			start = end.Add(-time.Duration(rapid.IntRange(0, 48*3600).Draw(t, "before")) * time.Second)
		}
		var want, got []time.Time
		const days = 4
		end := start.Add(days * 24 * time.Hour)
		for minute := start.Truncate(time.Minute).Add(time.Minute).UTC(); !minute.After(end); minute = minute.Add(time.Minute) {
			if matches(text, minute.In(zone)) {
				want = append(want, minute)
			}
		}
		for next := schedule.Next(start); !next.IsZero() && !next.After(end); {
			got = append(got, next)
			following := schedule.Next(next)
			if !following.IsZero() && !following.After(next) {
				t.Fatalf("%q: %v is followed by %v", text, next, following)
			}
			next = following
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q in %s from %v: -walked +found:\n%s", text, zone, start, diff)
		}
	})
}

func TestLatest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schedule, after, now, want string }{
		{"nothing is due", "0 12 * * *", "2026-01-01 12:00", "2026-01-02 11:59:59", ""},
		{"one is due", "0 12 * * *", "2026-01-01 12:00", "2026-01-02 12:00", "2026-01-02 12:00"},
		{"the last of two", "0 12 * * *", "2026-01-01 12:00", "2026-01-03 13:00", "2026-01-03 12:00"},
		{"the last of a year of minutes", "* * * * *", "2025-01-01 12:00", "2026-01-03 13:00:30", "2026-01-03 13:00"},
		{"however long ago it was", "0 0 1 1 *", "2024-01-01 00:00", "2026-12-31 23:59", "2026-01-01 00:00"},
		{"of a burst that is over", "* 9 * * 1", "2025-01-01 00:00", "2026-01-07 00:00", "2026-01-05 09:59"},
		{"never", "0 0 30 2 *", "2020-01-01 00:00", "2026-01-01 00:00", ""},
		{"the last there will be", "0 0 1 1 *", "2024-01-01 00:00", "2024-12-31 00:00", ""},
		{"every", "@every 90s", "2026-01-01 00:00", "2026-01-01 00:05", "2026-01-01 00:04:30"},
		{"every, not yet", "@every 90s", "2026-01-01 00:00", "2026-01-01 00:01", ""},
		{"a clock that was set back", "* * * * *", "2026-01-01 00:00", "2025-12-31 23:59", ""},
	} {
		got := ""
		if latest := parsed(t, c.schedule, time.UTC).Latest(at(t, c.after), at(t, c.now)); !latest.IsZero() {
			got = strings.TrimSuffix(latest.Format("2006-01-02 15:04:05"), ":00")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestLatest_AgreesWithAWalkOverTheTicks compares with going from tick to tick.
func TestLatest_AgreesWithAWalkOverTheTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{drawn(t), "@every 7m", "@hourly"}).Draw(t, "schedule")
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		schedule, err := cron.Parse(text, zone)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Date(2026, 1, 1, 0, 0, rapid.IntRange(0, 366*24*3600).Draw(t, "second"), 0, time.UTC)
		now := after.Add(time.Duration(rapid.IntRange(0, 10*24*3600).Draw(t, "later")) * time.Second)
		var want time.Time
		for next := schedule.Next(after); !next.IsZero() && !next.After(now); next = schedule.Next(next) {
			want = next
		}
		if got := schedule.Latest(after, now); !got.Equal(want) {
			t.Fatalf("%q after %v, now %v: got %v, want %v", text, after, now, got, want)
		}
	})
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-01-01 00:00")
	for dealt, want := range map[string]string{
		"2025-12-31 23:00": "2025-12-31 23:00", "2026-01-01 00:00": "2026-01-01 00:00", "2026-01-01 00:05": "2026-01-01 00:05",
		"2026-01-01 00:05:01": "2026-01-01 00:00", "2036-01-01 00:00": "2026-01-01 00:00",
	} {
		if got := cron.Since(at(t, dealt), now); !got.Equal(at(t, want)) {
			t.Errorf("dealt with up to %s: since %v, want %s", dealt, got, want)
		}
	}
}

// FuzzParse wants of every text that is accepted that its ticks come in order, at whole seconds, and that Latest finds the first.
func FuzzParse(f *testing.F) {
	for _, text := range append(append(append([]string(nil), accepted...), stored...), refused...) {
		f.Add(text, int64(1_787_270_700))
	}
	f.Fuzz(func(t *testing.T, text string, second int64) {
		schedule, err := cron.Parse(text, time.UTC)
		if err != nil {
			return
		}
		from := time.Unix(second%(1<<33), 0)
		first := schedule.Next(from)
		if first.IsZero() {
			return
		}
		if !first.After(from) || first.Nanosecond() != 0 {
			t.Fatalf("%q: %v follows %v", text, first, from)
		}
		if latest := schedule.Latest(from, first); !latest.Equal(first) {
			t.Fatalf("%q: at %v the latest is %v", text, first, latest)
		}
		if second := schedule.Next(first); !second.IsZero() && !second.After(first) {
			t.Fatalf("%q: %v follows %v", text, second, first)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"* * * * *", "0 9 * * 1-5", "TZ=Europe/Paris 30 2 * * *", "0 0 31 2,4,6,9,11 *"} {
		b.Run(text, func(b *testing.B) {
			schedule, now := parsed(b, text, time.UTC), at(b, "2026-06-01 00:00")
			b.ReportAllocs()
			for b.Loop() {
				schedule.Next(now)
			}
		})
	}
}
