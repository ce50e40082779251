package trace

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestItems(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 0).UTC() }
	node := func(id string, op StepOp, status NodeStatus, queued, started, ended int, children ...*Node) *Node {
		n := &Node{ID: id, Op: op, Status: status, QueuedAt: at(queued), Children: children}
		if started > 0 {
			n.StartedAt = at(started)
		}
		if ended > 0 {
			n.EndedAt = at(ended)
		}
		return n
	}
	userland := &Node{ID: "u", Userland: &Userland{}, QueuedAt: at(1), Status: NodeCompleted, EndedAt: at(2)}
	for name, c := range map[string]struct {
		root *Node
		want []string
	}{
		"nothing":                             {nil, nil},
		"a run that waits for its first call": {node("r", "", NodeQueued, 1, 0, 0), []string{"FunctionScheduled r"}},
		"a step and the end": {
			node("r", "", NodeCompleted, 1, 2, 9, userland, node("s", OpRun, NodeCompleted, 3, 4, 5, userland), node("f", "", NodeCompleted, 6, 7, 8)),
			[]string{
				"FunctionScheduled r", "FunctionStarted r", "StepScheduled s", "StepStarted s", "StepCompleted s", "StepScheduled f", "StepStarted f",
				"StepCompleted f", "FunctionCompleted r",
			},
		},
		"attempts of steps that run at the same time": {
			node("r", "", NodeFailed, 1, 2, 20,
				node("a", OpRun, NodeFailed, 3, 4, 15, node("a0", "", NodeFailed, 3, 4, 5), node("a1", "", NodeFailed, 5, 13, 15)),
				node("b", OpGateway, NodeRunning, 6, 7, 0, node("b0", "", NodeFailed, 6, 7, 8), node("b1", "", NodeRunning, 9, 10, 0))),
			[]string{
				"FunctionScheduled r", "FunctionStarted r", "StepScheduled a0", "StepStarted a0", "StepErrored a0", "StepScheduled a1",
				"StepScheduled b0", "StepStarted b0", "StepErrored b0", "StepScheduled b1", "StepStarted b1", "StepStarted a1", "StepFailed a1",
				"FunctionFailed r",
			},
		},
		"a last attempt that is not the end of its step": {
			node("r", "", NodeRunning, 1, 2, 0, node("a", OpRun, NodeRunning, 3, 4, 0, node("a0", "", NodeFailed, 3, 4, 5))),
			[]string{"FunctionScheduled r", "FunctionStarted r", "StepScheduled a0", "StepStarted a0", "StepErrored a0"},
		},
		"waits": {
			node("r", "", NodeCancelled, 1, 2, 20,
				node("z", OpSleep, NodeCompleted, 3, 3, 4), node("w", OpWaitForEvent, NodeCompleted, 5, 5, 6), node("i", OpInvoke, NodeFailed, 7, 7, 8),
				node("g", OpWaitForSignal, NodeWaiting, 9, 9, 0)),
			[]string{
				"FunctionScheduled r", "FunctionStarted r", "StepSleeping z", "StepCompleted z", "StepWaiting w", "StepCompleted w", "StepInvoking i",
				"StepFailed i", "StepWaiting g", "FunctionCancelled r",
			},
		},
	} {
		list := Items(c.root)
		var got []string
		seen := map[string]bool{}
		for _, item := range list {
			got = append(got, string(item.Type)+" "+item.Node.ID)
			if seen[item.ID.String()] || item.ID.Time() != uint64(item.At.UnixMilli()) {
				t.Errorf("%s: %s has the ID %s", name, item.Type, item.ID)
			}
			seen[item.ID.String()] = true
			if ends := item.At.Equal(item.Node.EndedAt); item.Type.Ends() != (ends && item.Type != StepStarted && item.Type != StepScheduled) {
				t.Errorf("%s: %s ends: %t", name, item.Type, item.Type.Ends())
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if again := Items(c.root); !slices.Equal(list, again) {
			t.Errorf("%s: another reading differs", name)
		}
	}
}
