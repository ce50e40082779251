package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// trigger is the recorded event of a run.
type trigger struct {
	id, name string
	// parent and op are the recorded run and op that deferred this run, empty for other runs.
	parent, op string
}

// random is true for the events whose id the server draws.
func (t trigger) random() bool { return t.name == "inngest/function.invoked" }

// moved is the event's id on the server under test when it is another than the recorded one moved in time, else empty.
// eventID is the id of the event that started the run, peers are the recording's runs.
func (t trigger) moved(eventID string, peers map[string]*functionRun) string {
	if t.random() {
		return eventID
	}
	if parent := peers[t.parent]; parent != nil && parent.runID != "" {
		return deferEventID(parent.runID, t.op)
	}
	return ""
}

// findTrigger reads the event out of the run's first call. The id of a deferred run's event must follow from the run that
// deferred it, which proves the formula on the recording.
func (f *functionRun) findTrigger() error {
	_, members := contextOf(f.calls[0].request.Body)
	var sent struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Data struct {
			Inngest struct {
				Parent string `json:"parent_run_id"`
			} `json:"_inngest"`
		} `json:"data"`
	}
	if err := json.Unmarshal(members["event"], &sent); err != nil {
		return fmt.Errorf("call %d: decode event: %w", f.calls[0].number, err)
	}
	f.trigger = trigger{id: sent.ID, name: sent.Name}
	if sent.Name != "inngest/deferred.schedule" {
		return nil
	}
	parent := f.peer[sent.Data.Inngest.Parent]
	if parent == nil {
		return fmt.Errorf("call %d: the deferring run %q is not recorded", f.calls[0].number, sent.Data.Inngest.Parent)
	}
	for _, op := range slices.Concat(parent.answers...) {
		if deferEventID(parent.calls[0].ctx.RunID, op) == sent.ID {
			f.trigger.parent, f.trigger.op = sent.Data.Inngest.Parent, op
			return nil
		}
	}
	return fmt.Errorf("call %d: the event id %s does not follow from the deferring run", f.calls[0].number, sent.ID)
}

// runOf finds the recorded run that a call belongs to: the one whose calls the server's run has had before, else the one
// with the same event, else, for an event that the server made, the first one that no run has taken. A call that belongs
// to none is one too many for the first.
func runOf(runs []*functionRun, ctx callContext, eventID string) *functionRun {
	runs[0].mu.Lock()
	defer runs[0].mu.Unlock()
	free := func(run *functionRun) bool { return run.runID == "" }
	for _, fits := range []func(*functionRun) bool{
		func(run *functionRun) bool { return run.runID == ctx.RunID },
		func(run *functionRun) bool {
			return free(run) && (run.rw.text(run.trigger.id) == eventID || run.batch.holds(run.rw, eventID))
		},
		func(run *functionRun) bool { return free(run) && strings.HasPrefix(run.trigger.name, "inngest/") },
	} {
		if i := slices.IndexFunc(runs, fits); i >= 0 {
			return runs[i]
		}
	}
	return runs[0]
}

// fitsInvocation accepts what the server draws or measures for an invocation: the group, any UUID, and the time until
// which the invoking run waits, as long after its answer as in the recording.
func fitsInvocation(runs map[string]*functionRun, field string, parent map[string]any, want, got any) bool {
	switch {
	case strings.HasSuffix(field, "._inngest.gid"):
		return uuid.Validate(fmt.Sprint(want)) == nil && uuid.Validate(fmt.Sprint(got)) == nil
	case !strings.HasSuffix(field, "._inngest.expire"):
		return false
	}
	correlation, _ := parent["correlation_id"].(string)
	runID, op, _ := strings.Cut(correlation, ".")
	wanted, wantErr := time.ParseDuration(fmt.Sprint(want) + "ms")
	given, gotErr := time.ParseDuration(fmt.Sprint(got) + "ms")
	if wantErr != nil || gotErr != nil {
		return false
	}
	for _, run := range runs {
		for _, call := range run.calls {
			if run.runID != runID || !slices.Contains(answerOps(whole(call.response)), op) {
				continue
			}
			recorded := wanted - time.Duration(run.rec.at(run.rw.start, call.response).UnixMilli())*time.Millisecond
			waits := given - time.Duration(call.answered.UnixMilli())*time.Millisecond
			return (waits - recorded).Abs() < 2*time.Second
		}
	}
	return false
}
