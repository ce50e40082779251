package embedded

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// embedLimit is how many bytes of events a run's head may hold. The head shares a row with what changes, and a row is
// written whole; larger events are read from the events table or from rows of their own.
const embedLimit = 512

// marshal writes a record. The records have no required fields and no checked text, so it cannot fail.
func marshal(record proto.Message) []byte {
	data, err := proto.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", record, err))
	}
	return data
}

// eventRecord is an event as a record.
func eventRecord(tracked event.Tracked) *enginev1.Event {
	return &enginev1.Event{
		InternalId: tracked.InternalID[:], Id: tracked.ID, Name: tracked.Name, Data: tracked.Data, User: tracked.User,
		Ts: tracked.TS, V: tracked.V, Sessions: sessionsRecord(tracked.Sessions),
		ReceivedAt: optionalNanos(tracked.ReceivedAt),
	}
}

// eventFromRecord is the inverse of eventRecord.
func eventFromRecord(record *enginev1.Event) (event.Tracked, error) {
	id, err := parseULID(record.GetInternalId())
	if err != nil {
		return event.Tracked{}, damaged("event record", err)
	}
	tracked := event.Tracked{InternalID: id, Event: event.Event{
		ID: record.GetId(), Name: record.GetName(), Data: record.GetData(), User: record.GetUser(), TS: record.GetTs(), V: record.GetV(),
		Sessions: record.GetSessions().GetValues(),
	}}
	if record.ReceivedAt != nil {
		tracked.ReceivedAt = fromNanos(record.GetReceivedAt())
	}
	return tracked, nil
}

func sessionsRecord(sessions map[string]string) *enginev1.Sessions {
	if len(sessions) == 0 {
		return nil
	}
	return &enginev1.Sessions{Values: sessions}
}

// sessionsColumn is what the inbox holds of an event's sessions; NULL for none.
func sessionsColumn(sessions map[string]string) []byte {
	if len(sessions) == 0 {
		return nil
	}
	return marshal(sessionsRecord(sessions))
}

func sessionsFromColumn(column []byte) (map[string]string, error) {
	if len(column) == 0 {
		return nil, nil
	}
	record := &enginev1.Sessions{}
	if err := proto.Unmarshal(column, record); err != nil {
		return nil, damaged("sessions record", err)
	}
	return record.GetValues(), nil
}

// headRecord is the part of a run that never changes. inLog tells which of the events the events table holds; small lists
// of events are part of the head in any case.
func headRecord(s run.State, inLog func(id ulid.ULID) bool) (head *enginev1.RunHead, beside []int) {
	head = &enginev1.RunHead{
		AppId: s.AppID[:], FunctionId: s.FunctionID[:], FunctionVersion: int64(s.FunctionVersion), Slug: s.Slug,
		Idempotency: s.Idempotency, Events: make([]*enginev1.RunEvent, len(s.Events)),
		StartTimeout: s.Timeouts.Start.Nanoseconds(), FinishTimeout: s.Timeouts.Finish.Nanoseconds(),
		Lock: s.Lock, Flow: keysRecord(s.Keys),
	}
	if s.Endpoint != nil {
		head.Endpoint = &enginev1.Endpoint{Method: s.Endpoint.Method, Language: s.Endpoint.Language}
	}
	embedded := inHead(s.Events)
	for i, tracked := range s.Events {
		place := &enginev1.RunEvent{}
		switch {
		case embedded:
			place.Place = &enginev1.RunEvent_Embedded{Embedded: eventRecord(tracked)}
		case inLog(tracked.InternalID):
			place.Place = &enginev1.RunEvent_Logged{Logged: tracked.InternalID.Bytes()}
			place.Sessions = sessionsRecord(tracked.Sessions)
		default:
			place.Place = &enginev1.RunEvent_Beside{Beside: true}
			beside = append(beside, i)
		}
		head.Events[i] = place
	}
	return head, beside
}

// eventSize estimates the stored size of an event.
func eventSize(tracked event.Tracked) int {
	return 80 + len(tracked.ID) + len(tracked.Name) + len(tracked.Data) + len(tracked.User) + len(tracked.V) + 32*len(tracked.Sessions)
}

func eventsSize(events []event.Tracked) int {
	size := 0
	for _, tracked := range events {
		size += eventSize(tracked)
	}
	return size
}

// inHead says whether the head of a run holds its events.
func inHead(events []event.Tracked) bool { return eventsSize(events) <= embedLimit }

// metaRecord is the part of a run that most of its commits change.
func metaRecord(s run.State) *enginev1.RunMeta {
	return &enginev1.RunMeta{
		RequestVersion: int64(s.RequestVersion), ForceStepPlan: s.ForceStepPlan, Pending: s.Pending, Size: int64(s.Size),
		StartedAt: optionalNanos(s.StartedAt),
	}
}

// applyMeta fills a state from its meta record.
func applyMeta(s *run.State, column []byte) error {
	meta := &enginev1.RunMeta{}
	if err := proto.Unmarshal(column, meta); err != nil {
		return damaged("meta record", err)
	}
	s.RequestVersion, s.ForceStepPlan = int(meta.GetRequestVersion()), meta.GetForceStepPlan()
	s.Pending, s.Size = meta.GetPending(), int(meta.GetSize())
	if meta.StartedAt != nil {
		s.StartedAt = fromNanos(meta.GetStartedAt())
	}
	return nil
}

// applyHead fills a state from its head record, but for the events.
func applyHead(s *run.State, head *enginev1.RunHead) error {
	var err error
	if s.AppID, err = uuid.FromBytes(head.GetAppId()); err != nil {
		return damaged("head record: app", err)
	}
	if s.FunctionID, err = uuid.FromBytes(head.GetFunctionId()); err != nil {
		return damaged("head record: function", err)
	}
	s.FunctionVersion, s.Slug, s.Idempotency = int(head.GetFunctionVersion()), head.GetSlug(), head.GetIdempotency()
	s.Endpoint, s.Lock, s.Keys = endpointFrom(head), head.GetLock(), keysFromRecord(head.GetFlow())
	s.Timeouts = run.Timeouts{Start: time.Duration(head.GetStartTimeout()), Finish: time.Duration(head.GetFinishTimeout())}
	return nil
}

// jobRecord is the part of a job that never changes.
func jobRecord(job run.Job) []byte {
	record := &enginev1.Job{
		FunctionId: job.FunctionID[:], Kind: string(job.Kind), MaxAttempts: int64(job.MaxAttempts),
		Incoming: job.Edge.Incoming, Outgoing: job.Edge.Outgoing, Target: job.Edge.Target, TargetName: job.Edge.TargetName,
		Mode: string(job.Mode), CoalesceKey: job.CoalesceKey,
	}
	if job.Gateway != nil {
		record.Gateway = &enginev1.Gateway{Op: job.Gateway.Op, Opts: job.Gateway.Opts}
	}
	return marshal(record)
}

// jobFromRecord reads what jobRecord wrote. The run, ID, time and attempt are the caller's to fill in.
func jobFromRecord(payload []byte) (run.Job, error) {
	record := &enginev1.Job{}
	if err := proto.Unmarshal(payload, record); err != nil {
		return run.Job{}, damaged("job record", err)
	}
	functionID, err := uuid.FromBytes(record.GetFunctionId())
	if err != nil {
		return run.Job{}, damaged("job record: function", err)
	}
	job := run.Job{
		FunctionID: functionID, Kind: run.Kind(record.GetKind()), MaxAttempts: int(record.GetMaxAttempts()),
		Edge: run.Edge{
			Incoming: record.GetIncoming(), Outgoing: record.GetOutgoing(), Target: record.GetTarget(), TargetName: record.GetTargetName(),
		},
		Mode: run.Mode(record.GetMode()), CoalesceKey: record.GetCoalesceKey(),
	}
	if request := record.GetGateway(); request != nil {
		job.Gateway = &run.Gateway{Op: request.GetOp(), Opts: request.GetOpts()}
	}
	return job, nil
}
