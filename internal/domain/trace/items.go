package trace

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// Item is something that happened in a run at an instant, as older clients see its history. Spec 05 §7.2.
type Item struct {
	// ID is the same from one reading to the next, and orders by At.
	ID   ulid.ULID
	At   time.Time
	Type ItemType
	// Node is what it happened to: the run, a step, or an attempt.
	Node *Node
	// Step is the step that Node is an attempt of, or Node itself; nil for the run.
	Step *Node
}

// ItemType is what happened. The texts are those of GraphQL.
type ItemType string

// Types of items.
const (
	FunctionScheduled ItemType = "FunctionScheduled"
	FunctionStarted   ItemType = "FunctionStarted"
	FunctionCompleted ItemType = "FunctionCompleted"
	FunctionFailed    ItemType = "FunctionFailed"
	FunctionCancelled ItemType = "FunctionCancelled"
	StepScheduled     ItemType = "StepScheduled"
	StepStarted       ItemType = "StepStarted"
	StepSleeping      ItemType = "StepSleeping"
	StepWaiting       ItemType = "StepWaiting"
	StepInvoking      ItemType = "StepInvoking"
	StepCompleted     ItemType = "StepCompleted"
	// StepErrored is an attempt that failed and is made again.
	StepErrored ItemType = "StepErrored"
	StepFailed  ItemType = "StepFailed"
)

// Ends says that the item is how something ended.
func (t ItemType) Ends() bool {
	switch t {
	case FunctionCompleted, FunctionFailed, FunctionCancelled, StepCompleted, StepErrored, StepFailed:
		return true
	case FunctionScheduled, FunctionStarted, StepScheduled, StepStarted, StepSleeping, StepWaiting, StepInvoking:
	}
	return false
}

// Items are what happened in a run, of its trace in the new shape, in order of time. Nil has none.
func Items(root *Node) []Item {
	if root == nil {
		return nil
	}
	var list items
	list.add(root.QueuedAt, FunctionScheduled, root, nil)
	list.add(root.StartedAt, FunctionStarted, root, nil)
	for _, step := range root.Children {
		if step.Userland == nil {
			list.step(step)
		}
	}
	switch root.Status {
	case NodeCompleted:
		list.add(root.EndedAt, FunctionCompleted, root, nil)
	case NodeFailed:
		list.add(root.EndedAt, FunctionFailed, root, nil)
	case NodeCancelled:
		list.add(root.EndedAt, FunctionCancelled, root, nil)
	case NodeQueued, NodeRunning, NodeWaiting, NodeSkipped:
	}
	slices.SortStableFunc(list, func(a, b Item) int { return a.At.Compare(b.At) })
	return list
}

type items []Item

// add appends what happened at an instant that is known.
func (l *items) add(at time.Time, what ItemType, node, step *Node) {
	if at.IsZero() {
		return
	}
	*l = append(*l, Item{ID: ids.DeterministicULID(at.UnixMilli(), node.ID+":"+string(what)), At: at, Type: what, Node: node, Step: step})
}

// step appends what happened to a step, attempt by attempt.
func (l *items) step(step *Node) {
	switch step.Op {
	case OpSleep:
		l.add(step.QueuedAt, StepSleeping, step, step)
	case OpWaitForEvent, OpWaitForSignal:
		l.add(step.QueuedAt, StepWaiting, step, step)
	case OpInvoke:
		l.add(step.QueuedAt, StepInvoking, step, step)
	case OpRun, OpGateway, "":
		l.attempts(step)
		return
	}
	l.end(step, step, true)
}

func (l *items) attempts(step *Node) {
	attempts := slices.DeleteFunc(slices.Clone(step.Children), func(n *Node) bool { return n.Userland != nil })
	if len(attempts) == 0 {
		attempts = []*Node{step}
	}
	for i, attempt := range attempts {
		l.add(attempt.QueuedAt, StepScheduled, attempt, step)
		l.add(attempt.StartedAt, StepStarted, attempt, step)
		l.end(attempt, step, i == len(attempts)-1)
	}
}

func (l *items) end(attempt, step *Node, last bool) {
	switch {
	case attempt.Status == NodeCompleted:
		l.add(attempt.EndedAt, StepCompleted, attempt, step)
	case attempt.Status == NodeFailed && last && step.Status == NodeFailed:
		l.add(attempt.EndedAt, StepFailed, attempt, step)
	case attempt.Status == NodeFailed:
		l.add(attempt.EndedAt, StepErrored, attempt, step)
	}
}
