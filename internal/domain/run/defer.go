package run

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Defer is a run that is to be started when this one ends. Spec 02 §15.
type Defer struct {
	// Slug is the function to start.
	Slug string
	// Input becomes the data of the event that starts it: a JSON object, nil for none.
	Input  json.RawMessage
	Status DeferStatus
}

// DeferStatus is what becomes of a deferred run.
type DeferStatus string

// Statuses of a deferred run.
const (
	DeferAfterRun DeferStatus = "AfterRun"
	DeferAborted  DeferStatus = "Aborted"
	// DeferRejected is kept only so that the SDK does not send it again.
	DeferRejected DeferStatus = "Rejected"
)

// Bounds of deferred runs. Spec 02 §1.
const (
	maxDefers     = 20
	maxDeferBytes = 4 << 20
)

// Abortable reports, for every deferred run, whether it may still be aborted.
func (s State) Abortable() map[string]bool {
	if len(s.Defers) == 0 {
		return nil
	}
	abortable := make(map[string]bool, len(s.Defers))
	for id, d := range s.Defers {
		abortable[id] = d.Status == DeferAfterRun
	}
	return abortable
}

// deferAdd notes a run to be started at the end. One that is too large, has no function or no readable input is noted as
// rejected; one too many is dropped. Neither fails the run.
func (s State) deferAdd(t *Transition, op sdk.Op) {
	all := s.applyWaits(*t).Defers
	if _, known := all[op.ID]; known || len(all) >= maxDefers {
		return
	}
	var opts struct {
		Slug  string          `json:"fn_slug"`
		Input json.RawMessage `json:"input"`
	}
	d := Defer{Status: DeferAfterRun}
	size := 0
	for _, other := range all {
		size += len(other.Input)
	}
	err := readOpts(op, &opts)
	if string(opts.Input) == "null" {
		opts.Input = nil
	}
	object := len(opts.Input) == 0 || strings.HasPrefix(strings.TrimSpace(string(opts.Input)), "{")
	if err != nil || opts.Slug == "" || !object || size+len(opts.Input) > maxDeferBytes {
		d.Status = DeferRejected
	} else {
		d.Slug, d.Input = opts.Slug, compactObject(opts.Input)
	}
	s.putDefer(t, op.ID, d)
}

// deferAbort takes back a deferred run. An unknown one is nobody's loss.
func (s State) deferAbort(t *Transition, op sdk.Op) {
	var opts struct {
		Target string `json:"target_hashed_id"`
	}
	if readOpts(op, &opts) != nil {
		return
	}
	if d, known := s.applyWaits(*t).Defers[opts.Target]; known && d.Status == DeferAfterRun {
		s.putDefer(t, opts.Target, Defer{Slug: d.Slug, Status: DeferAborted})
	}
}

func (s State) putDefer(t *Transition, id string, d Defer) {
	if t.Defers == nil {
		t.Defers = map[string]Defer{}
	}
	t.Defers[id] = d
}

// deferred are the events that start the deferred runs, in the order of their op IDs. Their IDs follow from the run, so
// that one that is published twice starts one run.
func (s State) deferred(now time.Time) []event.Event {
	var events []event.Event
	for _, id := range slices.Sorted(maps.Keys(s.Defers)) {
		d := s.Defers[id]
		if d.Status != DeferAfterRun {
			continue
		}
		parent := []byte(`{"fn_slug":`)
		parent = appendString(parent, d.Slug)
		parent = append(parent, `,"parent_app_id":"`+s.AppID.String()+`","parent_fn_id":"`+s.FunctionID.String()+`","parent_fn_slug":`...)
		parent = appendString(parent, s.Slug)
		parent = append(parent, `,"parent_run_id":"`+s.ID.String()+`"}`...)
		data := append([]byte(`{"_inngest":`), parent...)
		if rest := compactObject(d.Input); len(rest) > len("{}") {
			data = append(append(data, ','), rest[1:]...)
		} else {
			data = append(data, '}')
		}
		events = append(events, event.Event{
			ID: ids.DeferEventID(s.ID, id).String(), Name: event.DeferredSchedule, Data: data, TS: now.UnixMilli(), Sessions: s.Events[0].Sessions,
		})
	}
	return events
}
