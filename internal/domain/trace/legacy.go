package trace

import (
	"cmp"
	"slices"
	"time"
)

// Names of calls outside of steps in the legacy tree.
const (
	nameExecute = "execute"
	nameSuccess = "function success"
	nameError   = "function error"
	// queuedID is the ID of what has not begun.
	queuedID = "queued"
)

// LegacyTree builds the trace of a run in the shape that older clients know: the run has the name of its function, attempts of one job
// are below a group of their own. slug is the function's name, for rows that do not tell it. ErrNoRoot: no row is that of the run.
// Spec 05 §9.2.
func LegacyTree(rows []Span, live Live, slug string) (*Node, error) {
	s, err := tell(rows, live)
	if err != nil {
		return nil, err
	}
	root := s.runNode()
	root.Name, root.HasDuration, root.ScheduledAt, root.Output = cmp.Or(s.root.attrs.text(keyFunctionSlug), slug), true, time.Time{}, nil
	var end *Node // the call that ended the function need not be what began last
	for _, e := range s.entries {
		child := s.legacy(e, root.ID)
		root.Children = append(root.Children, child)
		if e.last().final {
			end = child
		}
	}
	slices.SortStableFunc(root.Children, func(a, b *Node) int { return a.began().Compare(b.began()) })
	if len(root.Children) == 0 {
		return root, nil
	}
	last := root.Children[len(root.Children)-1]
	switch {
	case root.Status == NodeCompleted || root.Status == NodeFailed:
		root.Output = cmp.Or(end, last).Output
	case !root.Status.Ended() && last.Status.Ended():
		root.Children = append(root.Children, s.queued("Queued step", root.ID, 0, last.EndedAt))
	}
	return root, nil
}

// queued is the node of what has not begun.
func (s *story) queued(name, parent string, attempt int, since time.Time) *Node {
	root := s.root.first
	return &Node{
		Run: root.Run, App: root.App, Function: root.Function, Trace: root.Trace, ID: queuedID, Parent: parent, Name: name, Status: NodeQueued,
		Attempts: attempt, QueuedAt: since, HasDuration: true,
	}
}

// legacy is a thing as the legacy tree shows it.
func (s *story) legacy(e *entry, parent string) *Node {
	last := e.last()
	switch legacyOp(last) {
	case OpSleep, OpWaitForEvent, OpInvoke, OpWaitForSignal:
		return s.legacyWait(e, parent)
	case OpGateway:
		if len(e.records) == 1 && last.status != Errored {
			return s.legacyAttempt(last, parent)
		}
	case OpRun:
	}
	if len(e.records) == 1 && last.attempt == 0 && (nodeStatus(last.status) == NodeCompleted || last.status == Cancelled || !last.status.Ended()) {
		return s.legacyAttempt(last, parent)
	}
	n := s.legacyAttempt(last, parent)
	first := e.records[0]
	n.ID, n.QueuedAt, n.StartedAt = "exec-"+last.group, first.queued, first.started
	if last.step != "" {
		n.ID = "steprun-" + last.group
	}
	n.Duration = 0
	n.measure()
	n.HasDuration = true
	number := -1
	for i, r := range e.records {
		attempt := s.legacyAttempt(r, parent)
		number = max(number+1, r.attempt) // not every row knows the number of its attempt
		attempt.Name, attempt.Attempts, attempt.Op, attempt.Info = attemptName(number), number, n.Op, n.Info
		switch {
		case r.status == Queued:
			attempt.ID, attempt.StepID, attempt.Op, attempt.Info = queuedID, "", "", nil
			attempt.QueuedAt = e.records[max(i-1, 0)].ended
		case r.final && r.status == Completed: // it is told of the group
			attempt.Output = nil
		}
		n.Children = append(n.Children, attempt)
	}
	switch n.Attempts = number; last.status {
	case Failed:
		if number+1 == last.maxAttempts || last.maxAttempts == 0 && number > 0 {
			n.Attempts = number + 1
		}
	case Errored: // it is tried again, though nobody knows when
		n.Status, n.EndedAt, n.Output, n.Duration = NodeRunning, time.Time{}, nil, 0
		if s.root.status.Ended() {
			n.Status, n.EndedAt = NodeFailed, last.ended
			break
		}
		n.Children = append(n.Children, s.queued(attemptName(number+1), parent, number+1, last.ended))
	case Completed, TimedOut, Cancelled:
	default:
		n.Status = NodeRunning
	}
	if n.Status == NodeRunning && last.step == "" {
		n.Name = nameExecute
	}
	return n
}

// legacyAttempt is one attempt as the legacy tree shows it.
func (s *story) legacyAttempt(r *record, parent string) *Node {
	n := s.plain(r, parent)
	n.ScheduledAt, n.HasDuration, n.Group, n.Op = time.Time{}, true, "", legacyOp(r)
	if n.Output = nil; n.Status.Ended() && r.output != "" {
		n.Output = &OutputID{Run: n.Run, App: n.App, Trace: n.Trace, Span: r.output, Input: r.input, Wrapped: isWrapped(r.op)}
	}
	if n.Op == OpRun && r.runType != "" && r.runType != "step.run" {
		n.Info = RunInfo{Type: r.runType}
	}
	if r.step == "" && r.name == "" {
		switch n.Status {
		case NodeCompleted:
			n.Name = nameSuccess
		case NodeFailed:
			n.Name = nameError
		default:
			n.Name = nameExecute
		}
	}
	return n
}

// legacyOp is the kind of a step as the legacy tree shows it: it does not know that of a step that failed for good, nor of a request.
func legacyOp(r *record) StepOp {
	op := stepOp(r.op)
	if op == OpRun && r.status == Failed || r.op == "Gateway" {
		return ""
	}
	return op
}

// isWrapped tells of steps whose results the legacy tree does not unwrap.
func isWrapped(op string) bool {
	switch stepOp(op) {
	case OpInvoke, OpWaitForSignal, OpGateway:
		return true
	case OpRun, OpSleep, OpWaitForEvent:
	}
	return false
}

// legacyWait is a wait as the legacy tree shows it, with the attempts that failed before it. A sleep that is not over has an attempt too.
func (s *story) legacyWait(e *entry, parent string) *Node {
	last := e.last()
	n := s.legacyAttempt(last, parent)
	n.Info = stepInfo(last, n.Op)
	n.Attempts = 0
	switch info := n.Info.(type) {
	case SleepInfo:
		n.Output = nil
		if n.Status = NodeRunning; last.status == Cancelled {
			n.Status = NodeCancelled
		} else if last.status.Ended() || !s.live.Now.IsZero() && !info.Until.After(s.live.Now) {
			n.Status, n.EndedAt = NodeCompleted, cmp.Or(last.ended, info.Until)
			n.measure()
		}
	case InvokeInfo:
		if last.status == TimedOut || info.TimedOut != nil && *info.TimedOut {
			n.Status = NodeFailed
		}
	}
	for i, r := range e.records[:len(e.records)-1] {
		attempt := s.legacyAttempt(r, parent)
		attempt.Name = attemptName(i)
		n.Children = append(n.Children, attempt)
	}
	if info, sleeps := n.Info.(SleepInfo); sleeps && n.Status != NodeCompleted {
		asleep := *n
		asleep.ID, asleep.Name, asleep.StepID, asleep.Children = seededSpan("asleep:"+last.step), attemptName(len(n.Children)), "", nil
		if n.Status == NodeRunning { // it is said how long that will be
			asleep.Duration = max(info.Until.Sub(n.StartedAt), 0)
		}
		n.Children = append(n.Children, &asleep)
	}
	return n
}
