package duration_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/duration"
	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0":                      0,
		"-0":                     0,
		"+0":                     0,
		"0s":                     0,
		"1s":                     time.Second,
		"+1s":                    time.Second,
		"-5s":                    -5 * time.Second,
		"1.5s":                   1500 * time.Millisecond,
		".5s":                    500 * time.Millisecond,
		"1.s":                    time.Second,
		"500ms":                  500 * time.Millisecond,
		"1us":                    time.Microsecond,
		"1µs":                    time.Microsecond,
		"1μs":                    time.Microsecond,
		"3ns":                    3,
		"0d1s":                   time.Second,
		"1d":                     24 * time.Hour,
		"1w2d":                   9 * 24 * time.Hour,
		"0.5w":                   84 * time.Hour,
		"2m30s":                  150 * time.Second,
		"1s1m":                   61 * time.Second,
		"9223372036854775807ns":  math.MaxInt64,
		"-9223372036854775808ns": math.MinInt64,
		"0.3333333333333333333h": 20*time.Minute - 1,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := duration.ParseDuration(text)
			if err != nil || got != want {
				t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
			}
		})
	}
}

func TestParseDuration_RefusesWhatIsNoDuration(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-", "+", "1", "10", "s", ".s", "1x", "1 s", " 1s", "1s ", "1S", "1s2", "--1s", "1.2.3s", "1e3s", "1y", "tomorrow",
		"9223372036854775808ns", "99999999999999999999s", "20000w", "10000w10000w", "9223372036854775807ns1ns", "15250.9w",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if got, err := duration.ParseDuration(text); !errors.Is(err, duration.ErrInvalid) {
				t.Errorf("ParseDuration(%q) = %v, %v; want ErrInvalid", text, got, err)
			}
		})
	}
}

func TestParseDuration_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":     `time: invalid duration ""`,
		"abc":  `time: invalid duration "abc"`,
		"5":    `time: missing unit in duration "5"`,
		"3q":   `time: unknown unit "q" in duration "3q"`,
		"1 d":  `time: unknown unit " d" in duration "1 d"`,
		"10ss": `time: unknown unit "ss" in duration "10ss"`,
	} {
		if _, err := duration.ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("ParseDuration(%q) fails with %v, want %s", text, err, want)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s":                                0,
		"1d12h":                             36 * time.Hour,
		"1w":                                7 * 24 * time.Hour,
		"1m30s":                             90 * time.Second,
		"2d":                                48 * time.Hour,
		"4w2d":                              30 * 24 * time.Hour,
		"-1h":                               -time.Hour,
		"1ms":                               time.Millisecond,
		"2us":                               2 * time.Microsecond,
		"1s20ns":                            time.Second + 20,
		"-15250w1d23h47m16s854ms775us808ns": math.MinInt64,
	} {
		if got := duration.Format(d); got != want {
			t.Errorf("Format(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestFormat_IsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64().Draw(t, "d"))
		got, err := duration.ParseDuration(duration.Format(want))
		if err != nil || got != want {
			t.Fatalf("Format(%d) = %q, read back as %d, %v", want, duration.Format(want), got, err)
		}
	})
}

// FuzzParseDuration compares with Go's parser, which reads the same language but for days and weeks.
func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"1s", "1.5h", "-1m30s", "0", "1d12h", "2w", "x", "", ".5s", "1µs"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := duration.ParseDuration(text)
		if want, goErr := time.ParseDuration(text); goErr == nil && (err != nil || got != want) {
			t.Fatalf("ParseDuration(%q) = %v, %v; Go reads %v", text, got, err, want)
		}
		if err == nil {
			if again, err := duration.ParseDuration(duration.Format(got)); err != nil || again != got {
				t.Fatalf("%q reads as %v, written as %q, read back as %v, %v", text, got, duration.Format(got), again, err)
			}
		}
	})
}
