package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Span is a node of a run's trace, as GraphQL tells of it (Spec 05 §8.8, §9.2).
type Span struct {
	Name      string     `json:"name"`
	Status    string     `json:"status"`
	RunID     string     `json:"runID"`
	SpanID    string     `json:"spanID"`
	Parent    string     `json:"parentSpanID"`
	IsRoot    bool       `json:"isRoot"`
	Userland  bool       `json:"isUserland"`
	StepOp    string     `json:"stepOp"`
	StepID    string     `json:"stepID"`
	OutputID  string     `json:"outputID"`
	QueuedAt  time.Time  `json:"queuedAt"`
	StartedAt *time.Time `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt"`
	Info      struct {
		Type string `json:"__typename"`
	} `json:"stepInfo"`
	Children []*Span `json:"childrenSpans"`
}

// traceQuery asks for both shapes of a trace: calls have steps, steps have attempts, and attempts have what the app traced itself.
const traceQuery = `query($run:String!){run(runID:$run){status new:trace(preview:true){...tree} legacy:trace(preview:false){...tree}}}
fragment one on RunTraceSpan{name status runID spanID parentSpanID isRoot isUserland stepOp stepID outputID queuedAt startedAt endedAt stepInfo{__typename}}
fragment tree on RunTraceSpan{...one childrenSpans{...one childrenSpans{...one childrenSpans{...one childrenSpans{...one}}}}}`

// Trace asks for the trace of a run in both shapes, and for the status that GraphQL gives the run.
func (s *Server) Trace(ctx context.Context, runID string) (status string, shapes map[string]*Span, err error) {
	var data struct {
		Run struct {
			Status string `json:"status"`
			New    *Span  `json:"new"`
			Legacy *Span  `json:"legacy"`
		} `json:"run"`
	}
	if err := s.query(ctx, traceQuery, map[string]any{"run": runID}, &data); err != nil {
		return "", nil, err
	}
	if data.Run.New == nil || data.Run.Legacy == nil {
		return "", nil, fmt.Errorf("run %s has no trace", runID)
	}
	return data.Run.Status, map[string]*Span{"new": data.Run.New, "legacy": data.Run.Legacy}, nil
}

// query asks GraphQL. Any error in the answer is one.
func (s *Server) query(ctx context.Context, text string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		return fmt.Errorf("encode a query: %w", err)
	}
	status, answer, err := s.call(ctx, http.MethodPost, "/v0/gql", string(body), "application/json")
	if err != nil {
		return err
	}
	var members struct {
		Data   json.RawMessage `json:"data"`
		Errors json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal([]byte(answer), &members); err != nil {
		return fmt.Errorf("answer of GraphQL: %w in %.300s", err, answer)
	}
	if status != http.StatusOK || members.Errors != nil {
		return fmt.Errorf("GraphQL answers with status %d: %.500s", status, answer)
	}
	if err := json.Unmarshal(members.Data, data); err != nil {
		return fmt.Errorf("answer of GraphQL: %w in %.300s", err, members.Data)
	}
	return nil
}

// traceLimit bounds how much later than the run itself its trace ends: it is written in groups.
const traceLimit = 30 * time.Second

// CheckTrace fails the test unless the trace of a run that has ended, in both shapes, is the one of that end. Each of the named steps is in
// it once; in a run that did not complete one may be missing, as nobody need have heard of it.
func (s *Server) CheckTrace(t testing.TB, run Run, steps ...string) {
	t.Helper()
	want := strings.ToUpper(run.Status)
	var shapes map[string]*Span
	Eventually(t, traceLimit, "trace of run "+run.ID, func() (bool, string) {
		status, found, err := s.Trace(t.Context(), run.ID)
		if shapes = found; err != nil {
			return false, err.Error()
		}
		return status == want, fmt.Sprintf("GraphQL says it is %s, want %s", status, want)
	})
	for shape, root := range shapes {
		wrong := root.faults(run.ID, want, shape)
		for _, name := range steps {
			named := root.Named(name)
			if len(named) > 1 || len(named) == 0 && run.Status == Completed {
				wrong = append(wrong, fmt.Sprintf("step %q is there %d times", name, len(named)))
			}
			for _, step := range named {
				if step.StepOp != "RUN" && !step.opless(shape) {
					wrong = append(wrong, fmt.Sprintf("step %q has the op %q", name, step.StepOp))
				}
			}
		}
		wrong = append(wrong, s.outputFaults(t.Context(), root)...)
		if len(wrong) > 0 {
			t.Errorf("%s trace of run %s:\n  %s\n%s", shape, run.ID, strings.Join(wrong, "\n  "), root.Outline())
		}
	}
}

// Named are the children with the name.
func (n *Span) Named(name string) []*Span {
	var named []*Span
	for _, child := range n.Children {
		if child.Name == name {
			named = append(named, child)
		}
	}
	return named
}

// all are the span and those below it.
func (n *Span) all() []*Span {
	spans := []*Span{n}
	for _, child := range n.Children {
		spans = append(spans, child.all()...)
	}
	return spans
}

// Outline is the tree as text, for people.
func (n *Span) Outline() string { return n.outline("    ") }

func (n *Span) outline(indent string) string {
	text := fmt.Sprintf("%s%s %s %s %s\n", indent, n.Name, n.Status, n.StepOp, n.StepID)
	for _, child := range n.Children {
		text += child.outline(indent + "  ")
	}
	return text
}

// began is what siblings are ordered by.
func (n *Span) began() time.Time {
	if n.StartedAt != nil {
		return *n.StartedAt
	}
	return n.QueuedAt
}

// infos are the types of what there is to say of steps, by their ops.
var infos = map[string]string{
	"RUN": "RunStepInfo", "SLEEP": "SleepStepInfo", "WAIT_FOR_EVENT": "WaitForEventStepInfo", "INVOKE": "InvokeStepInfo",
	"WAIT_FOR_SIGNAL": "WaitForSignalStepInfo",
}

// opless tells of a step without an op: the legacy shape does not know that of one that failed, nor of a request, which tests call fetch.
func (n *Span) opless(shape string) bool {
	return shape == "legacy" && n.StepOp == "" && (n.Status == "FAILED" || n.Name == "fetch")
}

// faults are what is wrong with the trace of a run that ended like this.
func (n *Span) faults(runID, status, shape string) []string {
	var wrong []string
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if n.Status != status || !n.IsRoot {
		fault("the root is %s, want %s", n.Status, status)
	}
	steps := map[string]int{}
	for _, child := range n.Children {
		if steps[child.StepID]++; child.StepID != "" && steps[child.StepID] > 1 {
			fault("step %s is there again", child.StepID)
		}
	}
	for i, span := range n.all() {
		ended := slices.Contains([]string{"COMPLETED", "FAILED", "CANCELLED", "SKIPPED"}, span.Status)
		switch {
		case span.RunID != runID:
			fault("%q is of run %s", span.Name, span.RunID)
		case span.Name == "" || span.Name == "Unknown step":
			fault("span %s has no name", span.SpanID)
		case !ended:
			fault("%q is %s", span.Name, span.Status)
		case span.EndedAt == nil && span.Status != "SKIPPED":
			fault("%q has ended, nobody knows when", span.Name)
		case span.EndedAt != nil && span.EndedAt.Before(span.began()):
			fault("%q ended at %s, before it began at %s", span.Name, span.EndedAt, span.began())
		case i > 0 && span.IsRoot:
			fault("%q is a root too", span.Name)
		case span.StepID != "" && span.StepOp == "" && !span.opless(shape):
			fault("step %q has no op", span.Name)
		case span.Info.Type != "" && span.Info.Type != infos[span.StepOp]:
			fault("%q of op %s has a %s", span.Name, span.StepOp, span.Info.Type)
		}
		if !slices.IsSortedFunc(span.Children, func(a, b *Span) int { return a.began().Compare(b.began()) }) {
			fault("what is below %q is not in the order of time", span.Name)
		}
	}
	return wrong
}

// outputFaults reads all outputs of a trace, and tells of those that cannot be read.
func (s *Server) outputFaults(ctx context.Context, root *Span) []string {
	var wrong []string
	for _, span := range root.all() {
		if span.OutputID == "" {
			continue
		}
		var data struct {
			Output struct {
				Data  *string         `json:"data"`
				Error json.RawMessage `json:"error"`
			} `json:"output"`
		}
		const text = `query($id:String!){output:runTraceSpanOutputByID(outputID:$id){input data error{message name stack cause}}}`
		err := s.query(ctx, text, map[string]any{"id": span.OutputID}, &data)
		failed := len(data.Output.Error) > 0 && string(data.Output.Error) != "null"
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("output of %q: %v", span.Name, err))
		case failed == (data.Output.Data != nil):
			wrong = append(wrong, fmt.Sprintf("output of %q has neither data nor error, or both", span.Name))
		case failed && span.Status == "COMPLETED":
			wrong = append(wrong, fmt.Sprintf("%q completed with the error %s", span.Name, data.Output.Error))
		}
	}
	return wrong
}
