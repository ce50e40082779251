package trace

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/metadata"
)

// runName is the name of a run's node.
const runName = "Run"

// Tree builds the trace of a run from its rows, which may be in any order. Each step is in it once, with its attempts below it when there
// were several, and so is the call that ended the function. Rows whose parent is missing are below the run. ErrNoRoot: no row is that of
// the run. Spec 05 §8.7, §8.8.
func Tree(rows []Span, live Live) (*Node, error) {
	s, err := tell(rows, live)
	if err != nil {
		return nil, err
	}
	root := s.runNode()
	root.Parent, root.Name, root.Group = NoParent, runName, s.rootGroup()
	root.Response, root.Metadata = s.root.response(), s.root.metadata
	for _, e := range s.entries {
		root.Children = append(root.Children, s.node(e, root.ID))
	}
	for _, g := range s.loose {
		root.Children = append(root.Children, s.userland(g, root.ID)...)
	}
	slices.SortStableFunc(root.Children, func(a, b *Node) int { return a.began().Compare(b.began()) })
	if root.StartedAt.IsZero() && len(root.Children) > 0 && root.Status != NodeQueued {
		root.StartedAt = root.Children[0].StartedAt
		root.measure()
	}
	root.put(live.Metadata)
	if size := root.settle(); size > 0 {
		root.Metadata = append(root.Metadata, Metadata{
			Scope: "run", Kind: usageKind, Values: metadata.Values{"metadata_bytes": number(size)}, UpdatedAt: cmp.Or(root.EndedAt, root.StartedAt, root.QueuedAt),
		})
	}
	return root, nil
}

// rootGroup is the group of the call that ended the run, until there is one that of the first call.
func (s *story) rootGroup() string {
	if group := s.root.attrs.text(KeyGroupID); group != "" {
		return group
	}
	for _, e := range s.entries {
		if first := e.records[0]; first.group != "" {
			return first.group
		}
	}
	return ""
}

func number(n int) json.RawMessage {
	text, _ := json.Marshal(n) // a number: this cannot fail
	return text
}

func (n *Node) began() time.Time {
	if !n.StartedAt.IsZero() {
		return n.StartedAt
	}
	return n.QueuedAt
}

// measure sets the duration of what began and ended.
func (n *Node) measure() {
	if !n.StartedAt.IsZero() && !n.EndedAt.IsZero() {
		n.Duration, n.HasDuration = max(n.EndedAt.Sub(n.StartedAt), 0), true
	}
}

// runNode is the run's own node, as far as both trees agree.
func (s *story) runNode() *Node {
	a, g := s.root.attrs, s.root
	n := &Node{
		Run: g.first.Run, App: g.first.App, Function: g.first.Function, Trace: g.first.Trace, ID: g.id, Root: true, Status: nodeStatus(g.status),
		QueuedAt: a.at(KeyQueuedAt), ScheduledAt: a.at(KeyScheduledAt), StartedAt: a.at(KeyStartedAt),
		SkipReason: a.text(KeySkipReason), SkipExisting: a.text(KeySkipExisting),
		DebugRun: a.text(keyDebugRun), DebugSession: a.text(keyDebugSession),
	}
	if n.QueuedAt.IsZero() {
		n.QueuedAt = millisecond(g.start)
	}
	if since := s.live.since(); n.Status == NodeQueued && !since.IsZero() {
		n.Status, n.StartedAt = NodeRunning, since
	}
	if g.status.Ended() {
		n.EndedAt = s.ended()
		n.measure()
	}
	n.Output = s.output(g.outputRow, g.inputRow)
	return n
}

// output is the place of what went in and came out; nil for neither.
func (s *story) output(output, input string) *OutputID {
	if output == "" && input == "" {
		return nil
	}
	return &OutputID{Run: s.root.first.Run, Span: output, Input: input, Preview: true}
}

// nodeStatus is a status as clients see it.
func nodeStatus(status Status) NodeStatus {
	switch status {
	case Completed, TimedOut:
		return NodeCompleted
	case Failed, Errored:
		return NodeFailed
	case Cancelled:
		return NodeCancelled
	case Queued, "Scheduled":
		return NodeQueued
	case Sleeping, Waiting:
		return NodeWaiting
	case Skipped:
		return NodeSkipped
	case Running, Invoking:
	}
	return NodeRunning
}

// stepOp is the kind of a step as clients see it.
func stepOp(op string) StepOp {
	switch op {
	case "StepRun", "StepError", "StepFailed", "StepPlanned":
		return OpRun
	case "AIGateway", "Gateway":
		return OpGateway
	case "InvokeFunction":
		return OpInvoke
	case "Sleep":
		return OpSleep
	case "WaitForEvent":
		return OpWaitForEvent
	case "WaitForSignal":
		return OpWaitForSignal
	}
	return ""
}

// node is what clients see of a thing, with its attempts when there were several.
func (s *story) node(e *entry, parent string) *Node {
	last := e.last()
	n := s.attempt(last, parent)
	if len(e.records) == 1 {
		return n
	}
	first := e.records[0]
	switch {
	case last.step != "":
		n.ID = StepID(last.step)
		if last.row != nil && last.status != Errored {
			n.ID = last.id
		}
	default:
		n.ID = seededSpan("finalization:" + last.group)
	}
	n.QueuedAt, n.ScheduledAt, n.StartedAt = first.queued, first.scheduled, first.started
	n.Response, n.Metadata, n.Children = nil, nil, nil
	n.measure()
	if !n.Status.Ended() {
		n.Status = NodeRunning
	}
	before := time.Time{}
	for i, r := range e.records {
		child := s.attempt(r, n.ID)
		child.Name = attemptName(i)
		if r.final {
			child.StepType = ""
		}
		if !before.IsZero() {
			child.QueuedAt = before
		}
		if before = r.ended; child.ID == n.ID {
			child.ID = AttemptID(r.step, r.attempt)
		}
		n.Children = append(n.Children, child)
	}
	return n
}

func attemptName(i int) string { return "Attempt " + string(number(i)) }

// attempt is the node of one attempt.
func (s *story) attempt(r *record, parent string) *Node {
	n := s.plain(r, parent)
	n.Metadata, n.Response = r.metadata, r.response
	if n.Op == OpRun {
		n.Info = RunInfo{Type: r.runType}
	} else {
		n.Info = stepInfo(r, n.Op)
	}
	n.StepType = cmp.Or(r.runType, string(n.Op))
	if r.final {
		n.StepType = Finalization
	}
	for _, below := range r.below {
		n.Children = append(n.Children, s.userland(below, n.ID)...)
	}
	return n
}

// plain is what both trees say of an attempt.
func (s *story) plain(r *record, parent string) *Node {
	root := s.root.first
	n := &Node{
		Run: root.Run, App: root.App, Function: root.Function, Trace: root.Trace, ID: r.id, Parent: parent, Group: r.group, Name: r.name,
		Status: nodeStatus(r.status), Attempts: r.attempt, QueuedAt: r.queued, ScheduledAt: r.scheduled, StartedAt: r.started, EndedAt: r.ended,
		Op: stepOp(r.op), StepID: r.step, Output: s.output(r.output, r.input),
	}
	n.measure()
	if n.Op == OpInvoke && r.status == TimedOut {
		n.Status = NodeFailed // the app gets an error
	}
	switch {
	case n.Name != "":
	case r.final:
		n.Name = "Finalization"
	case r.call:
		n.Name = "Execution"
	default:
		n.Name = cmp.Or(r.step, "Unknown step")
	}
	return n
}

// stepInfo is what there is to say of a kind of step.
func stepInfo(r *record, op StepOp) StepInfo {
	if r.row == nil {
		return nil
	}
	a := r.row.attrs
	var timedOut *bool
	if expired, known := a.flag(KeyWaitExpired); known {
		timedOut = &expired
	} else if r.status == TimedOut {
		expired = true
		timedOut = &expired
	}
	switch op {
	case OpSleep:
		ms, _ := a.number(KeySleepDuration)
		return SleepInfo{Until: millisecond(r.queued.Add(time.Duration(ms) * time.Millisecond))}
	case OpWaitForEvent:
		return EventInfo{
			Event: a.text(KeyWaitEvent), Expression: a.text(KeyWaitIf), Timeout: a.at(KeyWaitExpiry), Found: a.id(KeyWaitMatched), TimedOut: timedOut,
		}
	case OpInvoke:
		return InvokeInfo{
			Event: a.id(KeyInvokeTriggerEvent), Function: a.text(KeyInvokeFunction), Timeout: a.at(KeyWaitExpiry),
			Return: a.id(KeyInvokeFinishEvent), Run: a.id(KeyInvokeRun), TimedOut: timedOut,
		}
	case OpWaitForSignal:
		return SignalInfo{Signal: a.text(KeySignal), Timeout: a.at(KeyWaitExpiry), TimedOut: timedOut}
	case OpRun, OpGateway:
	}
	return nil
}

// userland are the nodes of a span that the app made itself, and of what is below it.
func (s *story) userland(g *group, parent string) []*Node {
	root := s.root.first
	a := g.attrs
	n := &Node{
		Run: root.Run, App: root.App, Function: root.Function, Trace: root.Trace, ID: g.id, Parent: parent, Group: a.text(KeyGroupID),
		Name: cmp.Or(a.text(keyUserlandName), a.text(KeyStepName), g.name), Status: nodeStatus(g.status), Metadata: g.metadata,
		QueuedAt: cmp.Or(a.at(KeyQueuedAt), millisecond(g.start)), ScheduledAt: a.at(KeyScheduledAt), StartedAt: a.at(KeyStartedAt),
		Output: s.output(g.outputRow, g.inputRow),
	}
	n.Attempts, _ = a.number(KeyAttempt)
	if g.status.Ended() || g.name == NameUserland {
		n.StartedAt = cmp.Or(n.StartedAt, millisecond(g.start))
		n.EndedAt = cmp.Or(a.at(KeyEndedAt), millisecond(g.end))
		n.measure()
	}
	if g.name == NameUserland {
		n.Userland = &Userland{
			Name: a.text(keyUserlandName), Kind: a.text(keyUserlandKind), Service: a.text(keyUserlandOf), Scope: a.text(keyUserlandScope),
			ScopeVersion: a.text(keyUserlandVer), Attributes: a.own(), Resource: a.object(keyUserlandRes),
		}
		if g.status == "" {
			n.Status = NodeCompleted
		}
	}
	for _, below := range g.down {
		n.Children = append(n.Children, s.userland(below, n.ID)...)
	}
	return []*Node{n}
}

// own are the attributes that are not the server's.
func (a attrs) own() json.RawMessage {
	own := maps.Clone(a)
	maps.DeleteFunc(own, func(key string, _ json.RawMessage) bool { return strings.HasPrefix(key, keyPrefix) })
	text, err := json.Marshal(own)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
