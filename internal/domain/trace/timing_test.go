package trace

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTree_Timing has at which nodes trees tell of calls.
func TestTree_Timing(t *testing.T) {
	t.Parallel()
	saved := func(id string, start int, pairs ...any) Span {
		return withOutput(below(NameStep, StepID(id), Completed, start, append([]any{
			"step.id", id, "step.name", id, "step.op", "StepRun", "checkpoint", true, "started_at", start, "ended_at", start + 1, "queued_at", start,
		}, pairs...)...))
	}
	nap := func(pairs ...any) Span {
		return below(NameStep, SleepID("n"), Sleeping, 40, append([]any{"step.id", "n", "step.name", "nap", "step.op", "Sleep", "queued_at", 40, "started_at", 40}, pairs...)...)
	}
	planned := below(NameStep, PlannedID(step1), Queued, 30, "step.id", step1, "step.name", "one", "step.op", "StepPlanned", "queued_at", 30, "ingot.plan", []int{1, 20})
	planned.Dynamic = StepID(step1)
	both := stepRow(StepID(step1), step1, "one", Completed, 50, 60, 0, "j", "ingot.timing", []int{2, 9})
	failed := stepRow(AttemptID(step1, 0), step1, "one", Errored, 40, 45, 0, "j", "ingot.timing", []int{2, 9})
	final := []any{"is.function.output", true, "ingot.call.started_at", 30, "job.id", "k", "job.group.id", GroupID("k"), "ingot.timing", []int{1, 12}}
	for name, c := range map[string]struct {
		rows []Span
		live Live
		want []string
	}{
		"a step": {
			[]Span{rootRow(), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 0, "j", "ingot.timing", []int{1, 4})}, Live{},
			[]string{"Run QUEUED -..- inngest.usage", "  one COMPLETED RUN 5..9 >efe2d001889b2cc6 206 inngest.http.timing inngest.timing"},
		},
		"the end": {
			[]Span{rootRow(), withOutput(rootEnds(Completed, 42, append(final, "response.status_code", 200)...)), saved("s", 35)}, Live{},
			[]string{"Run COMPLETED 2..42 >end inngest.usage", "  Finalization COMPLETED 30..42 >end inngest.http.timing inngest.timing", "  s COMPLETED RUN 35..36 >" + StepID("s")},
		},
		"the end by an op, after steps that the app saved": {
			[]Span{rootRow(), withOutput(rootEnds(Completed, 42, append(final, "response.status_code", 206)...)), saved("t", 36), saved("s", 35), saved("r", 20), saved("u", 34, "job.id", "other")}, Live{},
			[]string{
				"Run COMPLETED 2..42 >end inngest.usage", "  r COMPLETED RUN 20..21 >" + StepID("r"), "  Finalization COMPLETED 30..42 >end",
				"  u COMPLETED RUN 34..35 >" + StepID("u"), "  s COMPLETED RUN 35..36 >" + StepID("s") + " inngest.http.timing inngest.timing", "  t COMPLETED RUN 36..37 >" + StepID("t"),
			},
		},
		"the end by an op, without steps": {
			[]Span{rootRow(), withOutput(rootEnds(Completed, 42, append(final, "response.status_code", 206)...))}, Live{},
			[]string{"Run COMPLETED 2..42 >end inngest.usage", "  Finalization COMPLETED 30..42 >end inngest.http.timing inngest.timing"},
		},
		"a sleep after steps that the app saved": {
			[]Span{rootRow(), saved("s", 25, "job.id", "j"), saved("t", 26, "job.id", "j"), nap("job.id", "j", "ingot.plan", []int{0, 20})}, Live{},
			[]string{
				"Run QUEUED -..- inngest.usage", "  s COMPLETED RUN 25..26 >" + StepID("s") + " inngest.http.timing inngest.timing", "  t COMPLETED RUN 26..27 >" + StepID("t"), "  nap WAITING SLEEP 40..-",
			},
		},
		"a sleep after steps of another call": {
			[]Span{rootRow(), saved("s", 10, "job.id", "j"), saved("t", 26, "job.id", "k"), nap("job.id", "j", "ingot.plan", []int{0, 20})}, Live{},
			[]string{
				"Run QUEUED -..- inngest.usage", "  s COMPLETED RUN 10..11 >" + StepID("s"), "  t COMPLETED RUN 26..27 >" + StepID("t"), "  nap WAITING SLEEP 40..- inngest.http.timing inngest.timing",
			},
		},
		"a planned step tells of both calls": {
			[]Span{rootRow(), planned, both}, Live{},
			[]string{"Run QUEUED -..- inngest.usage", "  one COMPLETED RUN 50..60 >" + StepID(step1) + " 206 inngest.http.timing inngest.http.timing inngest.timing inngest.timing"},
		},
		"a planned step whose first attempt failed": {
			[]Span{rootRow(), planned, failed}, Live{},
			[]string{
				"Run QUEUED -..- inngest.usage", "  one FAILED RUN 40..45 >" + AttemptID(step1, 0) + " 206 inngest.http.timing inngest.http.timing inngest.timing inngest.timing",
			},
		},
		"what cannot be read": {
			[]Span{rootRow(), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 0, "j", "ingot.timing", []int{1, 2, 3, 4, 5, 6, 7, 8}), nap("ingot.plan", "x")}, Live{},
			[]string{"Run QUEUED -..-", "  one COMPLETED RUN 5..9 >efe2d001889b2cc6 206", "  nap WAITING SLEEP 40..-"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := Tree(c.rows, c.live)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, outline(root)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string(nil), kindsOf(t, c.rows)); diff != "" {
				t.Errorf("the legacy tree: %s", diff)
			}
		})
	}
}

// kindsOf are the kinds of metadata that the legacy tree tells.
func kindsOf(t *testing.T, rows []Span) (kinds []string) {
	root, err := LegacyTree(rows, Live{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range append(root.Children, root) {
		for _, m := range child.Metadata {
			kinds = append(kinds, m.Kind)
		}
	}
	return kinds
}

// TestCalled has the values that the reference writes, and the time of them.
func TestCalled(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][2]string{
		`[125,20]`: {
			`{"content_transfer_ms":0,"dns_lookup_ms":0,"server_processing_ms":20,"tcp_connection_ms":0,"tls_handshake_ms":0,"total_ms":20}`,
			`{"network_total_ms":20,"queue_delay_ms":0,"system_latency_ms":125,"total_inngest_ms":125}`,
		},
		`[1,20,2,3,4,5]`: {
			`{"content_transfer_ms":2,"dns_lookup_ms":5,"server_processing_ms":6,"tcp_connection_ms":3,"tls_handshake_ms":4,"total_ms":20}`,
			`{"network_total_ms":20,"queue_delay_ms":0,"system_latency_ms":1,"total_inngest_ms":1}`,
		},
		`[1,20,0,0,0,0,9]`: {
			`{"content_transfer_ms":0,"dns_lookup_ms":0,"server_processing_ms":20,"tcp_connection_ms":0,"tls_handshake_ms":0,"total_ms":20}`,
			`{"network_total_ms":20,"queue_delay_ms":9,"system_latency_ms":1,"total_inngest_ms":10}`,
		},
		`[-1,3,9]`: { // what cannot be is none
			`{"content_transfer_ms":9,"dns_lookup_ms":0,"server_processing_ms":0,"tcp_connection_ms":0,"tls_handshake_ms":0,"total_ms":3}`,
			`{"network_total_ms":3,"queue_delay_ms":0,"system_latency_ms":0,"total_inngest_ms":0}`,
		},
	} {
		told := attrs{KeyTiming: json.RawMessage(list)}.call(KeyTiming, at(7)).metadata()
		for i, kind := range []string{"inngest.http.timing", "inngest.timing"} {
			values, err := json.Marshal(told[i].Values)
			if err != nil || told[i].Kind != kind || told[i].Scope != "request" || !told[i].UpdatedAt.Equal(at(7)) || string(values) != want[i] {
				t.Errorf("%s: %+v %s, %v", list, told[i], values, err)
			}
		}
	}
}
