package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/ingothq/ingot/internal/domain/metadata"
)

var (
	testRun = ulid.MustParse("01HZX3Z9QG7V5K8M2N4P6R8T0W")
	testAt  = time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
)

func at(ms int) time.Time { return testAt.Add(time.Duration(ms) * time.Millisecond) }

func ms(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// row is a row with attributes as pairs of a key without its prefix and a value; those that end in _at are milliseconds since the begin.
func row(name, id, parent string, status Status, start int, pairs ...any) Span {
	traceID, _ := RunIDs(testRun)
	a := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		key, value := pairs[i].(string), pairs[i+1]
		if n, ok := value.(int); ok && strings.HasSuffix(key, "_at") || ok && strings.HasSuffix(key, "expiry") {
			value = ms(at(n))
		}
		a["_inngest."+key] = value
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return Span{Run: testRun, Trace: traceID, ID: id, Parent: parent, Dynamic: id, Name: name, Status: status, Start: at(start), End: at(start), Attributes: text}
}

func extend(dynamic, id, parent string, status Status, start int, pairs ...any) Span {
	s := row(NameExtend, id, parent, status, start, pairs...)
	s.Dynamic = dynamic
	return s
}

func withOutput(s Span) Span { s.HasOutput = true; return s }

// rootRow begins a run.
func rootRow() Span {
	_, id := RunIDs(testRun)
	s := row(NameRun, id, NoParent, Queued, 0, "queued_at", 0, "scheduled_at", 1, "function.slug", "acme-hello")
	s.HasInput = true
	return s
}

func below(name, id string, status Status, start int, pairs ...any) Span {
	_, root := RunIDs(testRun)
	return row(name, id, root, status, start, pairs...)
}

func rootEnds(status Status, start int, pairs ...any) Span {
	_, root := RunIDs(testRun)
	return extend(root, "end", NoParent, status, start, append([]any{"ended_at", start, "started_at", 2}, pairs...)...)
}

// outline is a tree as text: name, status, attempts, what kind of step, from and to in milliseconds, the rows of input and output.
func outline(n *Node) []string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return strconv.FormatInt(t.Sub(testAt).Milliseconds(), 10)
	}
	line := fmt.Sprintf("%s %s", n.Name, n.Status)
	if n.Attempts > 0 {
		line += fmt.Sprintf(" #%d", n.Attempts)
	}
	if n.Op != "" {
		line += " " + string(n.Op)
	}
	line += " " + since(n.StartedAt) + ".." + since(n.EndedAt)
	if n.Output != nil && n.Output.Span != "" {
		line += " >" + n.Output.Span
	}
	if n.Response != nil {
		line += fmt.Sprintf(" %d", n.Response.Status)
	}
	for _, m := range n.Metadata {
		line += " " + m.Kind
	}
	lines := []string{line}
	for _, child := range n.Children {
		for _, below := range outline(child) {
			lines = append(lines, "  "+below)
		}
	}
	return lines
}

const step1, step2 = "fe05bcdcdc4928012781a5f1a2a77cbb5398e106", "ad782ecdac770fc6eb9a62e44f90873fb97fb26b"

// stepRow is the row of an attempt of a step, as this server writes it.
func stepRow(id, step, name string, status Status, start, end, attempt int, job string, pairs ...any) Span {
	return withOutput(below(NameStep, id, status, start, append([]any{
		"step.id", step, "step.name", name, "step.op", "StepRun", "step.run.type", "", "step.attempt", attempt, "step.max_attempts", 4, "started_at", start, "ended_at", end,
		"queued_at", start - 1, "job.id", job, "job.group.id", GroupID(job), "request.id", "r" + id, "response.status_code", 206, "response.headers", `{"A":"b"}`,
	}, pairs...)...))
}

// trees are the rules of both trees, on rows of this server unless a name says otherwise.
var trees = map[string]struct {
	rows         []Span
	live         Live
	want, legacy []string
}{
	"a run that is queued": {
		rows:   []Span{rootRow()},
		want:   []string{"Run QUEUED -..-"},
		legacy: []string{"acme-hello QUEUED -..-"},
	},
	"a run without steps is one row": {
		rows:   []Span{rootRow(), withOutput(rootEnds(Completed, 20, "is.function.output", true, "ingot.call.started_at", 5, "job.id", "j", "job.group.id", GroupID("j"), "response.status_code", 200, "response.headers", "{}"))},
		want:   []string{"Run COMPLETED 2..20 >end 200", "  Finalization COMPLETED 5..20 >end 200"},
		legacy: []string{"acme-hello COMPLETED 2..20 >end", "  function success COMPLETED 5..20 >end"},
	},
	"a step, and a function that fails after it": {
		rows: []Span{
			rootRow(), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 0, "j"),
			withOutput(rootEnds(Failed, 20, "is.function.output", true, "ingot.call.started_at", 12, "job.id", "k", "job.group.id", GroupID("k"))),
		},
		want:   []string{"Run FAILED 2..20 >end", "  one COMPLETED RUN 5..9 >efe2d001889b2cc6 206", "  Finalization FAILED 12..20 >end"},
		legacy: []string{"acme-hello FAILED 2..20 >end", "  one COMPLETED RUN 5..9 >efe2d001889b2cc6", "  function error FAILED 12..20 >end", "    Attempt 0 FAILED 12..20 >end"},
	},
	"a step that is tried again": {
		rows: []Span{
			rootRow(), rootEnds("", 2), stepRow(AttemptID(step2, 0), step2, "two", Errored, 5, 9, 0, "j"), stepRow(StepID(step2), step2, "two", Completed, 20, 25, 1, "j"),
		},
		want: []string{
			"Run QUEUED 2..-", "  two COMPLETED #1 RUN 5..25 >7a6eac23f855fd02", "    Attempt 0 FAILED RUN 5..9 >ff7c7edddfd05741 206",
			"    Attempt 1 COMPLETED #1 RUN 20..25 >7a6eac23f855fd02 206",
		},
		legacy: []string{
			"acme-hello QUEUED 2..-", "  two COMPLETED #1 RUN 5..25 >7a6eac23f855fd02", "    Attempt 0 FAILED RUN 5..9 >ff7c7edddfd05741",
			"    Attempt 1 COMPLETED #1 RUN 20..25 >7a6eac23f855fd02", "  Queued step QUEUED -..-",
		},
	},
	"a step whose attempt failed, and is queued again": {
		rows: []Span{rootRow(), extend(rootID(), "begin", NoParent, Running, 2, "started_at", 2), stepRow(AttemptID(step2, 0), step2, "two", Errored, 5, 9, 0, "j")},
		live: Live{Jobs: []LiveJob{{ID: "j", Attempt: 1, At: at(50)}}},
		want: []string{
			"Run RUNNING 2..-", "  two RUNNING #1 RUN 5..-", "    Attempt 0 FAILED RUN 5..9 >ff7c7edddfd05741 206", "    Attempt 1 QUEUED #1 RUN -..-",
		},
		legacy: []string{
			"acme-hello RUNNING 2..-", "  two RUNNING #1 RUN 5..-", "    Attempt 0 FAILED RUN 5..9 >ff7c7edddfd05741", "    Attempt 1 QUEUED #1 -..-",
		},
	},
	"a call that failed, and is made again": {
		rows: []Span{
			rootRow(), extend(rootID(), "begin", NoParent, Running, 2, "started_at", 2),
			withOutput(below(NameNonStep, NonStepID(GroupID("j"), 0), Errored, 5, "started_at", 5, "ended_at", 9, "job.id", "j", "job.group.id", GroupID("j"), "step.attempt", 0)),
		},
		live: Live{Jobs: []LiveJob{{ID: "j", Attempt: 1, At: at(50), Since: at(51)}}},
		want: []string{
			"Run RUNNING 2..-", "  Finalization RUNNING #1 5..-", "    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("j"), 0), "    Attempt 1 RUNNING #1 51..-",
		},
		legacy: []string{
			"acme-hello RUNNING 2..-", "  execute RUNNING #1 5..-", "    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("j"), 0), "    Attempt 1 RUNNING #1 51..-",
		},
	},
	"a call that failed, and then came to a step": {
		rows: []Span{
			rootRow(), withOutput(below(NameNonStep, NonStepID(GroupID("j"), 0), Errored, 5, "started_at", 5, "ended_at", 9, "job.id", "j", "job.group.id", GroupID("j"), "step.attempt", 0)),
			stepRow(StepID(step1), step1, "one", Completed, 20, 25, 1, "j"),
		},
		want: []string{
			"Run QUEUED -..-", "  one COMPLETED #1 RUN 5..25 >efe2d001889b2cc6", "    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("j"), 0),
			"    Attempt 1 COMPLETED #1 RUN 20..25 >efe2d001889b2cc6 206",
		},
	},
	"a function that failed for good at its second attempt": {
		rows: []Span{
			rootRow(), withOutput(below(NameNonStep, NonStepID(GroupID("j"), 0), Errored, 5, "started_at", 5, "ended_at", 9, "job.id", "j", "job.group.id", GroupID("j"), "step.attempt", 0)),
			withOutput(below(NameNonStep, NonStepID(GroupID("j"), 1), Failed, 15, "started_at", 15, "ended_at", 19, "job.id", "j", "job.group.id", GroupID("j"), "step.attempt", 1, "step.max_attempts", 2)),
			withOutput(rootEnds(Failed, 20, "is.function.output", true, "ingot.call.started_at", 15, "job.id", "j", "job.group.id", GroupID("j"))),
		},
		want: []string{
			"Run FAILED 2..20 >end", "  Finalization FAILED #1 5..19 >" + NonStepID(GroupID("j"), 1), "    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("j"), 0),
			"    Attempt 1 FAILED #1 15..19 >" + NonStepID(GroupID("j"), 1),
		},
		legacy: []string{
			"acme-hello FAILED 2..20 >" + NonStepID(GroupID("j"), 1), "  function error FAILED #2 5..19 >" + NonStepID(GroupID("j"), 1),
			"    Attempt 0 FAILED 5..9 >" + NonStepID(GroupID("j"), 0), "    Attempt 1 FAILED #1 15..19 >" + NonStepID(GroupID("j"), 1),
		},
	},
	"a first call in hand": {
		rows: []Span{rootRow()}, live: Live{Jobs: []LiveJob{{ID: "j", At: at(1), Since: at(4)}}},
		want:   []string{"Run RUNNING 4..-", "  Execution RUNNING 4..-"},
		legacy: []string{"acme-hello RUNNING 4..-", "  execute RUNNING 4..-"},
	},
	"steps that are planned, in hand and queued, and a request": {
		rows: []Span{
			rootRow(), planned(step1, "one", 5), planned(step2, "two", 5),
		},
		live:   Live{Jobs: []LiveJob{{ID: "j", Step: step1, Name: "one", At: at(5), Since: at(7)}, {ID: "k", Step: step2, Name: "two", At: at(5)}, {ID: "g", Step: "gateway", Name: "ask", Gateway: true, At: at(9)}, {ID: "x", Step: "other", Name: "more", At: at(10)}}},
		want:   []string{"Run RUNNING 7..-", "  two QUEUED RUN -..-", "  one RUNNING RUN 7..-", "  ask QUEUED AI_GATEWAY -..-", "  more QUEUED RUN -..-"},
		legacy: []string{"acme-hello RUNNING 7..-", "  two QUEUED RUN -..-", "  one RUNNING RUN 7..-", "  ask QUEUED -..-", "  more QUEUED RUN -..-"},
	},
	"a step that the app has begun, and one that failed then": {
		rows: []Span{
			rootRow(), begun(step1, "one", 5), begun(step2, "two", 8), stepRow(AttemptID(step2, 0), step2, "two", Errored, 7, 9, 0, "j"),
		},
		want: []string{"Run QUEUED -..-", "  one RUNNING RUN 5..-", "  two FAILED RUN 7..9 >ff7c7edddfd05741 206"},
		legacy: []string{
			"acme-hello QUEUED -..-", "  one RUNNING RUN 5..-", "  two RUNNING RUN 7..-", "    Attempt 0 FAILED RUN 7..9 >ff7c7edddfd05741", "    Attempt 1 QUEUED #1 -..-",
		},
	},
	"a step that the app had begun when its run ended": {
		rows:   []Span{rootRow(), begun(step1, "one", 5), rootEnds(Cancelled, 20)},
		want:   []string{"Run CANCELLED 2..20", "  one CANCELLED RUN 5..20"},
		legacy: []string{"acme-hello CANCELLED 2..20", "  one CANCELLED RUN 5..20"},
	},
	"a planned step whose attempt failed": {
		rows: []Span{rootRow(), planned(step2, "two", 5), stepRow(AttemptID(step2, 0), step2, "two", Errored, 7, 9, 0, "j")},
		want: []string{"Run QUEUED -..-", "  two FAILED RUN 7..9 >ff7c7edddfd05741 206"},
		legacy: []string{
			"acme-hello QUEUED -..-", "  two RUNNING RUN 7..-", "    Attempt 0 FAILED RUN 7..9 >ff7c7edddfd05741", "    Attempt 1 QUEUED #1 -..-",
		},
	},
	"sleeps, one over by the clock": {
		rows: []Span{
			rootRow(), below(NameStep, "nap", Sleeping, 5, "step.id", "nap", "step.name", "nap", "step.op", "Sleep", "queued_at", 5, "started_at", 5, "step.sleep.duration", 10),
			below(NameStep, "long", Sleeping, 6, "step.id", "long", "step.name", "long", "step.op", "Sleep", "queued_at", 6, "started_at", 6, "step.sleep.duration", 1000),
		},
		live:   Live{Now: at(20)},
		want:   []string{"Run QUEUED -..-", "  nap WAITING SLEEP 5..-", "  long WAITING SLEEP 6..-"},
		legacy: []string{"acme-hello QUEUED -..-", "  nap COMPLETED SLEEP 5..15", "  long RUNNING SLEEP 6..-", "    Attempt 0 RUNNING SLEEP 6..-"},
	},
	"waits that ended, and one that did not": {
		rows: []Span{
			rootRow(), waitRow("w1", "WaitForEvent", Waiting, 5), extend("w1", "e1", rootID(), TimedOut, 9, "ended_at", 9, "step.wait.expired", true),
			waitRow("w2", "WaitForSignal", Waiting, 6), withOutput(extend("w2", "e2", rootID(), Completed, 9, "ended_at", 9, "step.wait.expired", false)),
			waitRow("w3", "InvokeFunction", Invoking, 7), extend("w3", "e3", rootID(), TimedOut, 9, "ended_at", 9),
			waitRow("w4", "InvokeFunction", Invoking, 8),
		},
		want: []string{
			"Run QUEUED -..-", "  w1 COMPLETED WAIT_FOR_EVENT 5..9", "  w2 COMPLETED WAIT_FOR_SIGNAL 6..9 >e2", "  w3 FAILED INVOKE 7..9", "  w4 RUNNING INVOKE 8..-",
		},
		legacy: []string{
			"acme-hello QUEUED -..-", "  w1 COMPLETED WAIT_FOR_EVENT 5..9", "  w2 COMPLETED WAIT_FOR_SIGNAL 6..9 >e2", "  w3 FAILED INVOKE 7..9", "  w4 RUNNING INVOKE 8..-",
		},
	},
	"a call that failed in a step, and came to the end of the function when it was made again": {
		rows: []Span{
			rootRow(), stepRow(AttemptID(step1, 0), step1, "flaky", Errored, 5, 6, 0, "j"),
			withOutput(below(NameStep, StepID(step1), Completed, 12, "checkpoint", true, "step.id", step1, "step.name", "flaky", "step.op", "StepRun", "step.attempt", 0, "queued_at", 12, "started_at", 12, "ended_at", 13)),
			withOutput(below(NameNonStep, "n", Completed, 10, "started_at", 10, "ended_at", 20, "job.group.id", GroupID("j"), "step.attempt", 1, "is.function.output", true)),
			withOutput(rootEnds(Completed, 20, "is.function.output", true, "ingot.call.started_at", 10, "job.id", "j", "job.group.id", GroupID("j"))),
		},
		want: []string{
			"Run COMPLETED 2..20 >end",
			"  flaky COMPLETED RUN 5..13 >" + StepID(step1), "    Attempt 0 FAILED RUN 5..6 >" + AttemptID(step1, 0) + " 206", "    Attempt 1 COMPLETED RUN 12..13 >" + StepID(step1),
			"  Finalization COMPLETED #1 5..20 >n", "    Attempt 0 FAILED RUN 5..6 >" + AttemptID(step1, 0) + " 206", "    Attempt 1 COMPLETED #1 10..20 >n",
		},
	},
	"a wait after an attempt that failed": {
		rows: []Span{
			rootRow(), below(NameNonStep, "n", Errored, 2, "started_at", 2, "ended_at", 3, "job.group.id", "g", "step.attempt", 0),
			waitRow("w1", "WaitForEvent", Waiting, 5, "step.attempt", 1, "job.group.id", "g"),
		},
		want:   []string{"Run QUEUED -..-", "  w1 RUNNING #1 WAIT_FOR_EVENT 2..-", "    Attempt 0 FAILED 2..3", "    Attempt 1 WAITING #1 WAIT_FOR_EVENT 5..-"},
		legacy: []string{"acme-hello QUEUED -..-", "  w1 WAITING WAIT_FOR_EVENT 5..-", "    Attempt 0 FAILED 2..3"},
	},
	"the reference's rows of calls": {
		rows: []Span{
			rootRow(), below(NameDiscovery, "d1", "", 3), row(NameExecution, "x1", "d1", Running, 4, "started_at", 4, "step.attempt", 0, "request.id", "r1"),
			withOutput(extend("x1", "x2", "d1", Completed, 8, "ended_at", 8, "step.id", step1, "step.op", "StepRun", "response.status_code", 206, "response.headers", "{}", "request.id", "r1")),
			row(NameMetadata, "m1", "x1", "", 8, "metadata.kind", "inngest.timing", "metadata.scope", "request", "metadata.op", "merge", "metadata.values", `{"a":1}`),
			withOutput(below(NameStep, StepID(step1), Completed, 3, "step.id", step1, "step.name", "one", "step.op", "StepRun", "started_at", 4, "ended_at", 9, "request.id", "r1")),
			below(NameDiscovery, "d2", "", 10), row(NameExecution, "y1", "d2", Running, 11, "started_at", 11, "request.id", "r2"),
			extend("y1", "y2", "d2", Completed, 12, "executor.drop", true, "request.id", "r2"),
			row(NameExecution, "lone", rootID(), Running, 13, "started_at", 13),
		},
		want: []string{
			"Run QUEUED -..- inngest.usage", "  one COMPLETED RUN 4..9 >efe2d001889b2cc6 206 inngest.timing", "  Execution RUNNING 13..-",
		},
	},
	"spans of the app": {
		rows: []Span{
			rootRow(), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 0, "j"),
			row(NameUserland, "u1", "unknown", "", 6, "step.id", step1, "step.attempt", 0, "userland.name", "inngest.execution"),
			row(NameUserland, "u2", "u1", "", 7, "userland.name", "query", "userland.kind", "client"),
			row(NameUserland, "u3", "nobody", "", 8),
		},
		want: []string{
			"Run QUEUED -..-", "  one COMPLETED RUN 5..9 >efe2d001889b2cc6 206", "    query COMPLETED 7..7", "  userland COMPLETED 8..8",
		},
	},
	"rows without a parent, in a ring, of no known kind, or cancelled": {
		rows: []Span{
			rootRow(), row(NameStep, "a", "nobody", Completed, 3, "step.id", "a", "step.name", "a", "started_at", 3, "ended_at", 4),
			row("strange", "r1", "r2", "", 5), row("strange", "r2", "r1", "", 5), row(NameUserland, "u", "r1", "", 6, "userland.name", "u"),
			rootEnds(Cancelled, 20),
		},
		want: []string{"Run CANCELLED 2..20", "  a COMPLETED 3..4", "  strange RUNNING -..-", "    strange RUNNING -..-", "    u COMPLETED 6..6"},
	},
	"a run that is skipped": {
		rows:   []Span{row(NameRun, rootID(), NoParent, Skipped, 0, "run.skip_reason", "Singleton", "run.skip_existing_run_id", "x", "function.slug", "acme-hello")},
		want:   []string{"Run SKIPPED -..-"},
		legacy: []string{"acme-hello SKIPPED -..-"},
	},
	"a run that is cancelled": {
		rows: []Span{
			rootRow(), below(NameStep, "nap", Sleeping, 5, "step.id", "nap", "step.name", "nap", "step.op", "Sleep", "queued_at", 5, "started_at", 5, "step.sleep.duration", 10),
			waitRow("w1", "WaitForEvent", Waiting, 6), planned(step1, "one", 7), planned(step2, "late", 60), rootEnds(Cancelled, 50),
		},
		live: Live{Now: at(20)},
		want: []string{
			"Run CANCELLED 2..50", "  nap CANCELLED SLEEP 5..50", "  w1 CANCELLED WAIT_FOR_EVENT 6..50", "  one CANCELLED RUN -..50", "  late CANCELLED RUN -..60",
		},
		legacy: []string{
			"acme-hello CANCELLED 2..50", "  nap CANCELLED SLEEP 5..50", "    Attempt 0 CANCELLED SLEEP 5..50", "  w1 CANCELLED WAIT_FOR_EVENT 6..50", "  one CANCELLED RUN -..50", "  late CANCELLED RUN -..60",
		},
	},
	"steps of a call that began before them and ended the function": {
		rows: []Span{
			rootRow(), stepRow(StepID(step1), step1, "one", Completed, 6, 9, 0, "j"),
			withOutput(rootEnds(Completed, 20, "is.function.output", true, "ingot.call.started_at", 5, "job.id", "j", "job.group.id", GroupID("j"))),
		},
		want:   []string{"Run COMPLETED 2..20 >end", "  Finalization COMPLETED 5..20 >end", "  one COMPLETED RUN 6..9 >efe2d001889b2cc6 206"},
		legacy: []string{"acme-hello COMPLETED 2..20 >end", "  function success COMPLETED 5..20 >end", "  one COMPLETED RUN 6..9 >efe2d001889b2cc6"},
	},
	"what began in one millisecond": {
		rows: []Span{
			rootRow(), later100us(stepRow("z", step1, "first", Completed, 5, 5, 0, "j"), 1), later100us(stepRow("y", step2, "second", Completed, 5, 5, 0, "j"), 2),
			later100us(stepRow("x", "third", "third", Completed, 5, 5, 0, "j"), 3),
			withOutput(rootEnds(Completed, 5, "is.function.output", true, "ingot.call.started_at", 5, "job.id", "j", "job.group.id", GroupID("j"))),
		},
		want: []string{
			"Run COMPLETED 2..5 >end", "  first COMPLETED RUN 5..5 >z 206", "  second COMPLETED RUN 5..5 >y 206", "  third COMPLETED RUN 5..5 >x 206", "  Finalization COMPLETED 5..5 >end",
		},
	},
	"an output that is another's": {
		rows: []Span{rootRow(), stepRow("o", step1, "one", Completed, 5, 9, 0, "j"), below(NameStep, "p", Completed, 10, "step.id", "p", "step.name", "p", "ended_at", 11, "step.output_ref", "o")},
		want: []string{"Run QUEUED -..-", "  one COMPLETED RUN 5..9 >o 206", "  p COMPLETED -..11 >o"},
	},
	"a step of which only the end is there": {
		rows: []Span{rootRow(), extend("e", "e1", rootID(), Completed, 5, "ended_at", 5)},
		want: []string{"Run QUEUED -..-", "  EXTEND COMPLETED 5..5"},
	},
}

func rootID() string { _, id := RunIDs(testRun); return id }

func later100us(s Span, n int) Span {
	s.Start = s.Start.Add(time.Duration(n) * 100 * time.Microsecond)
	return s
}

func planned(step, name string, start int) Span {
	s := below(NameStep, PlannedID(step), Queued, start, "step.id", step, "step.name", name, "step.op", "StepPlanned", "queued_at", start)
	s.Dynamic = StepID(step)
	return s
}

// begun is the row of a step that the app says it has begun.
func begun(step, name string, start int) Span {
	s := below(NameStep, PlannedID(step), Running, start, "step.id", step, "step.name", name, "step.op", "StepPlanned", "queued_at", start, "started_at", start, "checkpoint", true)
	s.Dynamic = StepID(step)
	return s
}

func waitRow(id, op string, status Status, start int, pairs ...any) Span {
	return below(NameStep, id, status, start, append([]any{"step.id", id, "step.name", id, "step.op", op, "started_at", start, "queued_at", start, "step.wait.expiry", 100}, pairs...)...)
}

func TestTree(t *testing.T) {
	t.Parallel()
	for name, c := range trees {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := Tree(c.rows, c.live)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, outline(root)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if c.legacy == nil {
				return
			}
			if root, err = LegacyTree(c.rows, c.live, "unknown"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.legacy, outline(root)); diff != "" {
				t.Errorf("legacy: -want +got:\n%s", diff)
			}
		})
	}
}

// TestTree_IsTheSameInAnyOrder shuffles the rows of all cases.
func TestTree_IsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(slices.Sorted(mapKeys(trees))).Draw(t, "case")
		c := trees[name]
		rows := slices.Clone(c.rows)
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		rows = append(rows, rows[0]) // a row that is there twice counts once
		want, _ := Tree(c.rows, c.live)
		got, err := Tree(rows, c.live)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: -want +got:\n%s", name, diff)
		}
	})
}

func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestTree_LosesNothing hangs rows of the app anywhere: each is in the tree once.
func TestTree_LosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := []Span{rootRow(), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 0, "j")}
		parents := []string{rootID(), StepID(step1), "nobody", ""}
		count := rapid.IntRange(1, 8).Draw(t, "spans")
		for i := range count {
			parents = append(parents, "u"+strconv.Itoa(i))
		}
		for i := range count {
			parent := rapid.SampledFrom(parents).Draw(t, "parent")
			rows = append(rows, row(NameUserland, "u"+strconv.Itoa(i), parent, "", i, "userland.name", "u"+strconv.Itoa(i)))
		}
		root, err := Tree(rows, Live{})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		var visit func(n *Node)
		visit = func(n *Node) {
			seen[n.ID]++
			for _, child := range n.Children {
				visit(child)
			}
		}
		visit(root)
		for _, row := range rows {
			if seen[row.ID] != 1 {
				t.Fatalf("%s is in the tree %d times:\n%s", row.ID, seen[row.ID], strings.Join(outline(root), "\n"))
			}
		}
	})
}

func TestTree_NeedsARun(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][]Span{
		"no rows": nil, "a step": {below(NameStep, "a", Completed, 1)}, "metadata": {row(NameMetadata, "a", "", "", 1)}, "of the app": {row(NameUserland, "a", "", "", 1)},
	} {
		if _, err := Tree(rows, Live{}); !errors.Is(err, ErrNoRoot) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := LegacyTree(rows, Live{}, ""); !errors.Is(err, ErrNoRoot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTree_GroupOfTheRoot is that of the call that ended the run, or else that of the first call.
func TestTree_GroupOfTheRoot(t *testing.T) {
	t.Parallel()
	checkpointed := below(NameStep, StepID(step1), Completed, 3, "checkpoint", true, "step.id", step1, "started_at", 3, "ended_at", 4)
	second := stepRow(StepID(step2), step2, "two", Completed, 5, 9, 0, "j")
	for name, c := range map[string]struct {
		rows []Span
		want string
	}{
		"a run that is queued":         {[]Span{rootRow()}, ""},
		"a run in progress":            {[]Span{rootRow(), checkpointed, second}, GroupID("j")},
		"a run that ended with a call": {[]Span{rootRow(), checkpointed, second, rootEnds(Completed, 20, "job.group.id", GroupID("k"))}, GroupID("k")},
		"a run that was cancelled":     {[]Span{rootRow(), checkpointed, second, rootEnds(Cancelled, 20)}, GroupID("j")},
	} {
		root, err := Tree(c.rows, Live{})
		if err != nil {
			t.Fatal(err)
		}
		if root.Group != c.want {
			t.Errorf("%s: group %q, want %q", name, root.Group, c.want)
		}
	}
}

func TestTree_StepInfo(t *testing.T) {
	t.Parallel()
	id := testRun
	root, err := Tree([]Span{
		rootRow(),
		waitRow("w1", "WaitForEvent", Waiting, 1, "step.wait_for_event.name", "a/b", "step.wait_for_event.if", "x", "step.wait_for_event.matched_id", id.String(), "step.wait.expired", false),
		waitRow("w2", "InvokeFunction", Invoking, 2, "step.invoke.function.id", "acme-f", "step.invoke.trigger.event.id", id.String(), "step.invoke.run.id", id.String(), "step.invoke.finish.event.id", id.String()),
		waitRow("w3", "WaitForSignal", TimedOut, 3, "step.signal.name", "sig"),
		waitRow("w4", "Sleep", Sleeping, 4, "step.sleep.duration", 7),
		stepRow("s", "s", "s", Completed, 5, 6, 0, "j"),
		waitRow("w5", "AIGateway", Running, 6), waitRow("w6", "Step", Running, 7),
	}, Live{})
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := []StepInfo{
		EventInfo{Event: "a/b", Expression: "x", Timeout: at(100), Found: id, TimedOut: &no},
		InvokeInfo{Event: id, Function: "acme-f", Timeout: at(100), Return: id, Run: id},
		SignalInfo{Signal: "sig", Timeout: at(100), TimedOut: &yes}, SleepInfo{Until: at(11)}, RunInfo{}, nil, nil,
	}
	var got []StepInfo
	for _, child := range root.Children {
		got = append(got, child.Info)
		if child.Info != nil {
			child.Info.stepInfo()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTree_Metadata(t *testing.T) {
	t.Parallel()
	update := func(id string, start int, op, values string, more ...any) Span {
		s := row(NameMetadata, id, StepID(step1), "", start, append([]any{"metadata.kind", "userland.a", "metadata.scope", "step", "metadata.op", op, "metadata.values", values}, more...)...)
		s.Dynamic = "m"
		return s
	}
	other := update("m5", 5, "merge", `{"z":1}`, "metadata.scope", "run")
	value := func(target metadata.Target, kind string) metadata.Value {
		return metadata.Value{Target: target, Kind: kind, Values: metadata.Values{"v": json.RawMessage("1")}, UpdatedAt: at(50)}
	}
	rows := []Span{
		rootRow(), stepRow(AttemptID(step1, 0), step1, "one", Errored, 2, 3, 0, "j"), stepRow(StepID(step1), step1, "one", Completed, 5, 9, 1, "j"),
		row(NameUserland, "u", StepID(step1), "", 6, "userland.name", "u"),
		update("m1", 1, "merge", `{"a":1,"b":2}`), update("m2", 2, "add", `{"a":4}`), update("m3", 3, "delete", `{"b":0}`), update("m4", 4, "merge", "garbage"), other,
		row(NameMetadata, "usage", rootID(), "", 1, "metadata.kind", usageKind, "metadata.values", `{"a":1}`),
		row(NameMetadata, "lost", "nobody", "", 1, "metadata.kind", "k", "metadata.scope", "strange", "metadata.op", "set", "metadata.values", `{"a":1}`),
		row(NameMetadata, "empty", rootID(), "", 1, "metadata.kind", "k2", "metadata.op", "set"),
	}
	root, err := Tree(rows, Live{Metadata: []metadata.Value{
		value(metadata.Target{Attempt: metadata.FinalAttempt}, "of.run"), value(metadata.Target{StepID: step1, Attempt: metadata.FinalAttempt}, "of.step"),
		value(metadata.Target{StepID: step1, Attempt: 0}, "of.attempt"), value(metadata.Target{StepID: step1, Attempt: 1, SpanID: "u"}, "of.span"),
		value(metadata.Target{StepID: step1, Attempt: 1, SpanID: "gone"}, "of.gone"), value(metadata.Target{StepID: "other", Attempt: metadata.FinalAttempt}, "of.other"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	step := root.Children[0]
	kindsOf := func(n *Node) (kinds []string) {
		for _, m := range n.Metadata {
			kinds = append(kinds, m.Scope+" "+m.Kind)
		}
		return kinds
	}
	got := [][]string{kindsOf(root), kindsOf(step), kindsOf(step.Children[0]), kindsOf(step.Children[1]), kindsOf(step.Children[1].Children[0])}
	want := [][]string{
		{"run of.run", "step of.other", "unknown k", "run inngest.usage"}, {"step of.step"}, {"step_attempt of.attempt"},
		{"extended_trace of.gone", "step userland.a"}, {"extended_trace of.span"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	attached := step.Children[1].Metadata[1]
	if diff := cmp.Diff(metadata.Values{"a": json.RawMessage("5")}, attached.Values); diff != "" || !attached.UpdatedAt.Equal(at(3)) {
		t.Errorf("at %s: %s", attached.UpdatedAt, diff)
	}
}

// TestTree_MetadataOfTheRow is that which a request for a step has told.
func TestTree_MetadataOfTheRow(t *testing.T) {
	t.Parallel()
	root, err := Tree([]Span{rootRow(), stepRow(StepID(step1), step1, "ask", Completed, 5, 9, 0, "j", "ingot.metadata", `{"inngest.http":{"b":2},"inngest.ai":{"a":1}}`)}, Live{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Metadata{
		{Scope: "step_attempt", Kind: "inngest.ai", Values: metadata.Values{"a": json.RawMessage("1")}, UpdatedAt: at(9)},
		{Scope: "step_attempt", Kind: "inngest.http", Values: metadata.Values{"b": json.RawMessage("2")}, UpdatedAt: at(9)},
	}
	if diff := cmp.Diff(want, root.Children[0].Metadata); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// FuzzTree gives rows of any kind to both trees: no panic, and texts that are JSON.
func FuzzTree(f *testing.F) {
	f.Add(`{"_inngest.started_at":"1","_inngest.step.attempt":-1}`, "executor.step", "a", "b", "Completed")
	f.Add(`{"_inngest.started_at":9e99,"_inngest.step.sleep.duration":1e300,"x":1}`, "userland", "b", "a", "")
	f.Add(`[`, "metadata", "", "", "Queued")
	f.Add(`{"_inngest.ended_at":"2026-01-01T00:00:00Z","_inngest.response.headers":"{\"a\":[1]}","_inngest.response.status_code":"200","_inngest.step.op":"Sleep"}`, "executor.execution", "d", "d", "Failed")
	f.Fuzz(func(t *testing.T, attributes, name, parent, dynamic, status string) {
		one := Span{Run: testRun, ID: "one", Name: name, Parent: parent, Dynamic: dynamic, Status: Status(status), Attributes: json.RawMessage(attributes), Start: at(1), End: at(2)}
		two := one
		two.ID, two.Parent, two.Start = "two", "one", at(3)
		rows := []Span{rootRow(), one, two}
		live := Live{Now: at(4), Jobs: []LiveJob{{ID: name, Step: parent, Attempt: 1}, {ID: dynamic, Since: at(2)}}}
		for _, build := range []func() (*Node, error){
			func() (*Node, error) { return Tree(rows, live) }, func() (*Node, error) { return LegacyTree(rows, live, "s") },
		} {
			root, err := build()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(root); err != nil {
				t.Fatal(err)
			}
		}
		Links(rows)
	})
}
