package trace

import (
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Beginning is a run that is wanted.
type Beginning struct {
	Spec run.Spec
	// Due is when its first call is to be made.
	Due  time.Time
	From flow.Origin
	// Batch and Original are zero, Cron is empty, for none.
	Batch, Original ulid.ULID
	Cron            string
}

// Context is the run's place in distributed traces. It is derived from the run's ID, so it needs no storage and is the same on
// every replica and after every restart.
type Context struct {
	// ID is the trace of the run, 32 hex digits.
	ID string
	// Parent is the traceparent under which the app hangs its own spans.
	Parent string
}

// Of returns the run's place.
func Of(id ulid.ULID) Context {
	traceID, spanID := RunIDs(id)
	return Context{ID: traceID, Parent: "00-" + traceID + "-" + spanID + "-01"}
}

// Scheduled are the spans of a run that is created: its own, and what the steps that invoked it learn of it. Spec 15 §8.8.
func Scheduled(b Beginning) []Span {
	s := &b.Spec
	traceID, spanID := RunIDs(s.ID)
	at := s.Now.UTC()
	root := Span{
		Run: s.ID, App: s.AppID, Function: s.FunctionID, Trace: traceID, ID: spanID, Parent: NoParent, Dynamic: spanID, Name: NameRun,
		Start: at, End: at, Status: Queued, EventIDs: make([]ulid.ULID, len(s.Events)), Input: input(s.Events),
		Summary: &Summary{Status: Queued, Batch: b.Batch, Cron: b.Cron, Debounced: b.From == flow.FromDebounce},
	}
	for i := range s.Events {
		root.EventIDs[i] = s.Events[i].InternalID
	}
	var started time.Time
	if s.Attached {
		started = time.UnixMilli(int64(s.ID.Time())).UTC()
		root.Status, root.Summary.Status, root.Summary.StartedAt = Running, Running, started
	}
	root.Attributes, root.Deferred = b.attributes(root.Status, started)
	return append([]Span{root}, b.invokers()...)
}

// input is what the run begins with, as the row shows it.
func input(events []event.Tracked) []byte {
	size := 2
	for i := range events {
		const frame = 96
		size += frame + len(events[i].Data) + len(events[i].User) + len(events[i].Name) + len(events[i].ID)
	}
	list := append(make([]byte, 0, size), '[')
	for i := range events {
		if i > 0 {
			list = append(list, ',')
		}
		list = events[i].AppendStored(list)
	}
	return append(list, ']')
}

// attributes are those of the run's own span. What has a column of its own is only there: who reads looks there.
func (b *Beginning) attributes(status Status, started time.Time) (object []byte, deferred bool) {
	s := &b.Spec
	first := s.Events[0].Event
	a := newAttributes(wholeBytes)
	a.id(KeyBatchID, b.Batch)
	if !b.Batch.IsZero() {
		a.at(KeyBatchAt, time.UnixMilli(int64(b.Batch.Time())))
	}
	a.text(KeyCron, b.Cron)
	parent, slug := event.DeferredBy(first)
	a.text(KeyDeferParentSlug, slug)
	if parent != "" {
		a.key(KeyDeferParents)
		a.json = append(appendText(append(a.json, '['), parent), ']')
	}
	a.status(status)
	if sessions := event.AppendSessions(nil, first.Sessions); sessions != nil {
		a.key(KeySessions)
		a.json = appendText(a.json, sessions)
	}
	a.text(KeyEventName, first.Name)
	a.at(KeyQueuedAt, time.UnixMilli(int64(s.ID.Time())))
	a.yes(KeyEndpoint, s.Endpoint != nil)
	a.id(KeyOriginalRun, b.Original)
	a.plain(KeyScheduleType, scheduleType(b.From))
	a.at(KeyScheduledAt, b.Due)
	a.at(KeyStartedAt, started)
	return a.object(), parent != ""
}

// scheduleType is how the reference calls the origin; empty for an event, which goes without saying. Spec 15 §8.5.
func scheduleType(from flow.Origin) string {
	switch from {
	case flow.FromRerun:
		return "Rerun"
	case flow.FromCron:
		return "Cron"
	case flow.FromDebounce:
		return "Debounce"
	case flow.FromEvent, flow.FromRequest, flow.FromBatch:
	}
	return ""
}

// invokers tells the steps that invoked the run which one it is.
func (b *Beginning) invokers() []Span {
	var spans []Span
	for i := range b.Spec.Events {
		invoker, ok := event.InvokedBy(b.Spec.Events[i].Event)
		if !ok {
			continue
		}
		id, step, ok := correlated(invoker.Correlation)
		if !ok {
			continue
		}
		app, _ := uuid.Parse(invoker.App) // they are the server's own
		function, _ := uuid.Parse(invoker.Function)
		e := emitter{state: run.State{ID: id, AppID: app, FunctionID: function}, now: b.Spec.Now.UTC()}
		e.identify()
		a := newAttributes(smallBytes)
		a.id(KeyInvokeRun, b.Spec.ID)
		e.extend(StepID(step), b.Spec.ID.String(), "", a.object())
		spans = append(spans, e.spans...)
	}
	return spans
}

// correlated takes "<run ID>.<hashed step ID>" apart.
func correlated(text string) (id ulid.ULID, step string, ok bool) {
	if len(text) <= ulid.EncodedSize+1 || text[ulid.EncodedSize] != '.' {
		return id, "", false
	}
	id, err := ulid.ParseStrict(text[:ulid.EncodedSize])
	return id, text[ulid.EncodedSize+1:], err == nil
}

// Ended are the spans of a run that ends as it begins: one that is skipped, or cannot be started. reason is why it is skipped,
// existing the run in its way, zero for none. spans are those of Scheduled; others than the run's own are left out.
func Ended(spans []Span, end run.Finish, reason flow.SkipReason, existing ulid.ULID) []Span {
	if len(spans) == 0 {
		return nil
	}
	root := spans[0]
	root.End = end.At.UTC()
	root.Status, root.Summary = Skipped, &Summary{Status: Skipped, EndedAt: end.At}
	if before := spans[0].Summary; before != nil {
		root.Summary.Batch, root.Summary.Cron, root.Summary.Debounced = before.Batch, before.Cron, before.Debounced
	}
	a := newAttributes(smallBytes)
	if end.Status == run.Skipped {
		a.status(Skipped)
	} else {
		root.Status, root.Summary.Status, root.Output = Failed, Failed, wrapped(end)
		a.status(Failed)
		a.at(KeyEndedAt, end.At)
		a.flag(KeyFunctionOutput, true)
	}
	if end.Status == run.Skipped {
		a.id(KeySkipExisting, existing)
		a.text(KeySkipReason, string(reason))
	}
	root.Attributes = mergeAttributes(root.Attributes, a.object())
	return []Span{root}
}
