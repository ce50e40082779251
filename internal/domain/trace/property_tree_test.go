package trace_test

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// checkTrees builds both trees of the rows, as they were made and put together: they say the same, each step that has a memo is there
// once and has ended, and the root says how the run ended.
func (p *player) checkTrees() {
	live := trace.Live{Now: p.now}
	for _, job := range p.jobs {
		switch job.Kind {
		case run.KindStart, run.KindEdge, run.KindEdgeError, run.KindGateway, run.KindSleep:
			live.Jobs = append(live.Jobs, trace.LiveJob{
				ID: job.ID, Step: job.Edge.Target, Name: job.Edge.TargetName, Gateway: job.Kind == run.KindGateway, Attempt: job.Attempt, At: job.At,
			})
		case run.KindPause, run.KindCancel:
		}
	}
	if p.end != nil {
		live.Jobs = nil
	}
	for name, build := range map[string]func(rows []trace.Span) (*trace.Node, error){
		"new": func(rows []trace.Span) (*trace.Node, error) { return trace.Tree(rows, live) },
		"old": func(rows []trace.Span) (*trace.Node, error) { return trace.LegacyTree(rows, live, "acme-hello") },
	} {
		root, err := build(p.rows)
		if err != nil {
			p.t.Fatal(err)
		}
		stored, err := build(trace.Merge(slices.Clone(p.rows)))
		if err != nil {
			p.t.Fatal(err)
		}
		if diff := cmp.Diff(text(root, ""), text(stored, "")); diff != "" {
			p.t.Fatalf("%s: -as made +put together:\n%s", name, diff)
		}
		if ended := root.Status.Ended(); ended != (p.end != nil) || ended && !strings.EqualFold(string(p.end.Status), string(root.Status)) {
			p.t.Fatalf("%s: the root is %s, the run %+v", name, root.Status, p.end)
		}
		for _, child := range root.Children {
			if p.end != nil && (!child.Status.Ended() || child.EndedAt.IsZero()) {
				p.t.Fatalf("%s: the run has ended, and step %s is %s, ended at %s", name, child.StepID, child.Status, child.EndedAt)
			}
		}
		times := map[string]int{}
		for _, child := range root.Children {
			if times[child.StepID]++; p.saved[child.StepID] && !child.Status.Ended() {
				p.t.Fatalf("%s: step %s has a memo and is %s:\n%s\n%+v", name, child.StepID, child.Status, strings.Join(text(root, ""), "\n"), live.Jobs)
			}
		}
		for step := range p.saved {
			if times[step] != 1 {
				p.t.Fatalf("%s: step %s is there %d times:\n%s", name, step, times[step], strings.Join(text(root, ""), "\n"))
			}
		}
	}
}

// text is a tree without the places of outputs, which move when rows are put together.
func text(n *trace.Node, indent string) []string {
	lines := []string{indent + strings.Join([]string{
		n.Name, string(n.Status), string(n.Op), n.StepID, n.ID, n.Group, n.StartedAt.String(), n.EndedAt.String(), n.QueuedAt.String(),
	}, " ")}
	for _, child := range n.Children {
		lines = append(lines, text(child, indent+"  ")...)
	}
	return lines
}
