package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what was measured of a profile. Times are from the moment the event was sent; sizes are bytes.
type result struct {
	profile profile

	Finished, Missing, RanTwice, ForgotStep, ExtraCalls, SendErrors int

	SentPerSecond, RunsPerSecond, CallsPerSecond float64
	SendP50, SendP99                             time.Duration
	// Start is the first call of a run, End its last.
	StartP50, StartP99, EndP50, EndP99 time.Duration
	Took                               time.Duration

	CPU                        time.Duration
	RSSIdle, RSSPeak, RSSAfter int64
	// Health is from the start of the process to its first healthy answer.
	Health time.Duration

	// Pages is how many pages of runs the readers were answered, PageMean how long that took; ReadErrors is how many answers were none.
	Pages, ReadErrors int64
	PageMean          time.Duration

	RSSSegments []int64 // of profile soak

	resumed []time.Duration // of profile waiting: from sending the event to the run's next call

	// Of profile asleep: memory before the kill and after the restart, and the wake-up: first and last call after the
	// instant, and the server's CPU time for it.
	RSSAsleep, RSSRestarted int64
	Restart                 time.Duration
	WakeFirst, WakeLast     time.Duration
	WakeCPU                 time.Duration
}

// read stops the readers and adds what they saw.
func (r *result) read(from *readers) {
	from.stop()
	r.Pages, r.ReadErrors = from.pages.Load(), from.failures.Load()
	if r.Pages > 0 {
		r.PageMean = time.Duration(from.waited.Load() / r.Pages)
	}
}

// sum adds what the app and the senders saw.
func (r *result) sum(a *app, s sent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var start, end []time.Duration
	for _, seen := range a.records {
		if seen.twice {
			r.RanTwice++
		}
		if seen.forgot {
			r.ForgotStep++
		}
		if seen.last.IsZero() {
			if !r.profile.waits {
				r.Missing++
			}
			continue
		}
		start = append(start, seen.first.Sub(seen.sent))
		end = append(end, seen.last.Sub(seen.sent))
	}
	r.Finished = a.ended
	r.ExtraCalls = a.calls - a.ended*(r.profile.steps+1)
	r.SendErrors = s.errors
	r.SentPerSecond = perSecond(r.profile.count, s.took)
	r.RunsPerSecond, r.CallsPerSecond = perSecond(a.ended, r.Took), perSecond(a.calls, r.Took)
	r.SendP50, r.SendP99 = quantile(s.latency, .5), quantile(s.latency, .99)
	r.StartP50, r.StartP99 = quantile(start, .5), quantile(start, .99)
	r.EndP50, r.EndP99 = quantile(end, .5), quantile(end, .99)
}

func (r *result) incorrect() bool { return r.Missing+r.RanTwice+r.ForgotStep > 0 }

// field is one printed number.
type field struct {
	key, value string
}

func (r *result) fields() []field {
	fields := []field{
		{"profile", r.profile.name}, {"n", fmt.Sprint(r.profile.count)}, {"finished", fmt.Sprint(r.Finished)},
		{"missing", fmt.Sprint(r.Missing)}, {"ran_twice", fmt.Sprint(r.RanTwice)}, {"forgot_step", fmt.Sprint(r.ForgotStep)},
		{"extra_calls", fmt.Sprint(r.ExtraCalls)}, {"send_errors", fmt.Sprint(r.SendErrors)},
		{"sent_per_s", fmt.Sprintf("%.0f", r.SentPerSecond)},
		{"send_p50_ms", ms(r.SendP50)}, {"send_p99_ms", ms(r.SendP99)},
		{"runs_per_s", fmt.Sprintf("%.1f", r.RunsPerSecond)}, {"calls_per_s", fmt.Sprintf("%.1f", r.CallsPerSecond)},
		{"start_p50_ms", ms(r.StartP50)}, {"start_p99_ms", ms(r.StartP99)},
		{"end_p50_ms", ms(r.EndP50)}, {"end_p99_ms", ms(r.EndP99)}, {"took_s", fmt.Sprintf("%.2f", r.Took.Seconds())},
		{"cpu_s", fmt.Sprintf("%.2f", r.CPU.Seconds())},
		{"rss_idle_mb", mb(r.RSSIdle)}, {"rss_peak_mb", mb(r.RSSPeak)}, {"rss_after_mb", mb(r.RSSAfter)},
		{"health_ms", ms(r.Health)},
	}
	if r.Pages+r.ReadErrors > 0 {
		fields = append(fields, field{"pages", fmt.Sprint(r.Pages)}, field{"page_mean_ms", ms(r.PageMean)}, field{"read_errors", fmt.Sprint(r.ReadErrors)})
	}
	if len(r.resumed) > 0 {
		fields = append(fields, field{"rss_waiting_mb", mb(r.RSSAsleep)},
			field{"resume_p50_ms", ms(quantile(r.resumed, .5))}, field{"resume_p99_ms", ms(quantile(r.resumed, .99))})
	}
	for i, size := range r.RSSSegments {
		fields = append(fields, field{fmt.Sprintf("rss_%dk_mb", (i+1)*r.profile.segment/1000), mb(size)})
	}
	if r.profile.restart {
		fields = append(fields,
			field{"rss_asleep_mb", mb(r.RSSAsleep)}, field{"restart_ms", ms(r.Restart)}, field{"rss_restarted_mb", mb(r.RSSRestarted)},
			field{"wake_first_ms", ms(r.WakeFirst)}, field{"wake_last_ms", ms(r.WakeLast)},
			field{"wake_cpu_s", fmt.Sprintf("%.2f", r.WakeCPU.Seconds())})
	}
	return fields
}

// pairs is the result as one line of key=value pairs.
func (r *result) pairs() string {
	var pairs []string
	for _, f := range r.fields() {
		pairs = append(pairs, f.key+"="+f.value)
	}
	return strings.Join(pairs, " ")
}

func printResults(out io.Writer, format string, results []result) error {
	switch format {
	case "kv": // printed as they came
		return nil
	case "json":
		encoder := json.NewEncoder(out)
		for _, res := range results {
			object := map[string]any{}
			for _, f := range res.fields() {
				object[f.key] = json.Number(f.value)
			}
			object["profile"] = res.profile.name
			if err := encoder.Encode(object); err != nil {
				return fmt.Errorf("write result: %w", err)
			}
		}
		return nil
	case "table":
		return printTable(out, results)
	}
	return fmt.Errorf("unknown format %q", format)
}

// printTable prints a column per profile and a row per number.
func printTable(out io.Writer, results []result) error {
	var keys []string
	columns := make([]map[string]string, len(results))
	for i, res := range results {
		columns[i] = map[string]string{}
		for _, f := range res.fields() {
			columns[i][f.key] = f.value
			if !slices.Contains(keys, f.key) {
				keys = append(keys, f.key)
			}
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, key := range keys {
		_, _ = fmt.Fprint(table, key, "\t")
		for _, column := range columns {
			_, _ = fmt.Fprint(table, column[key], "\t")
		}
		_, _ = fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// quantile returns the p-quantile, 0 when there are no values. It sorts them.
func quantile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(float64(len(values)-1)*p)]
}

func perSecond(count int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(count) / took.Seconds()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

func mb(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
