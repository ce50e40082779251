package embedded

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseInstant_ReadsEveryForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 21, 51, 51, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-23 21:51:51.872 +0000 UTC":                      at.Add(872 * time.Millisecond),
		"2026-11-23 21:51:51.123456789 +0000 UTC m=+5.686808622": at.Add(123456789),
		"2026-11-23 21:51:51 +0000 UTC m=-1.5":                   at,
		"2026-11-23 23:51:51 +0200 CEST":                         at,
		"2026-11-23 21:51:51":                                    at,
		"2026-11-23 21:51:51.5":                                  at.Add(500 * time.Millisecond),
		"2026-11-23 21:51:51.000000001+00:00":                    at.Add(1),
		"2026-11-23T22:51:51+01:00":                              at,
		"2026-11-23T21:51:51.25Z":                                at.Add(250 * time.Millisecond),
		"2026-11-23 21:51:51Z":                                   at,
		"2026-11-23T21:51:51":                                    at,
		"2026-11-23 21:51":                                       at.Truncate(time.Minute),
		"2026-11-23T21:51":                                       at.Truncate(time.Minute),
		"2026-11-23":                                             at.Truncate(24 * time.Hour),
		"1795470711":                                             at,
		"1795470711000":                                          at,
		"-1":                                                     time.Unix(-1, 0).UTC(),
	} {
		got, err := parseInstant(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "2026-13-01", "2026-11-23 25:00:00"} {
		if got, err := parseInstant(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestFormatInstant_IsTheReferences(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 22, 51, 51, 872_000_000, time.FixedZone("CET", 3600))
	if got := formatInstant(at); got != "2026-11-23 21:51:51.872 +0000 UTC" {
		t.Error(got)
	}
	if got := formatInstant(at.Truncate(time.Second)); got != "2026-11-23 21:51:51 +0000 UTC" {
		t.Error(got)
	}
}

// TestInstants_OrderAsTexts checks what the queries rely on: texts order as instants do, also around the bounds.
func TestInstants_OrderAsTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) time.Time {
			precision := rapid.SampledFrom([]int64{1, 1000, 1e6, 1e8, 1e9}).Draw(r, name+" precision")
			return time.Unix(rapid.Int64Range(1e9, 1e9+2).Draw(r, name), rapid.Int64Range(0, 999_999_999).Draw(r, name+" nanos")/precision*precision).UTC()
		}
		a, b := draw("a"), draw("b")
		text := formatInstant(b) + rapid.SampledFrom([]string{"", " m=+1.5"}).Draw(r, "suffix")
		if got, want := text >= firstInstant(a), !b.Before(a); got != want {
			r.Fatalf("%s >= %s is %t", b, a, got)
		}
		if got, want := text < afterInstant(a), !b.After(a); got != want {
			r.Fatalf("%s <= %s is %t", b, a, got)
		}
		if back, err := parseInstant(text); err != nil || !back.Equal(b) {
			r.Fatalf("%q is %v, %v", text, back, err)
		}
	})
}

// FuzzParseInstant holds the parser against the writer: what is read and written again is read as the same instant.
func FuzzParseInstant(f *testing.F) {
	for _, text := range []string{"2026-11-23 21:51:51.872 +0000 UTC m=+1", "2026-11-23", "1795470711000", "-5", "0000-01-01 00:00", "2026-11-23T21:51:51+14:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseInstant(text)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			return // not an instant that the writer can be given
		}
		again, err := parseInstant(formatInstant(at))
		if err != nil || !again.Equal(at) {
			t.Errorf("%q is %v, and written again %v, %v", text, at, again, err)
		}
	})
}
