// Package ports holds the interfaces that the application needs of the world, and the plain structs that cross them.
// Every interface has one contract suite in portstest that each adapter passes.
//
// All methods take a context, may be called concurrently, and return the errors of this package, wrapped.
package ports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/function"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/domain/trace"
)

// Errors of all ports.
var (
	// ErrNotFound: the thing named does not exist, or no longer.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the state changed since it was read. Nothing was written; load and decide again.
	ErrConflict = errors.New("conflict")
	// ErrLeaseLost: the job is no longer leased by the caller. Nothing was written; stop.
	ErrLeaseLost = errors.New("lease lost")
	// ErrClosed: the adapter is shutting down.
	ErrClosed = errors.New("closed")
	// ErrUnavailable: the backend failed; nothing is known to be written. Try again later.
	ErrUnavailable = errors.New("unavailable")
	// ErrOutdated: a run was decided on before a fence of its function, see Store.Fence. Nothing was written; decide again,
	// with a new ID. To callers who do not know it, it is ErrUnavailable.
	ErrOutdated = fmt.Errorf("decided on before a fence: %w", ErrUnavailable)
)

// SignalTakenError says that another run waits for the signal, and that the commit does not take it over. Nothing was
// written; decide again, knowing that.
type SignalTakenError struct {
	Signal string
	Run    ulid.ULID
}

func (e *SignalTakenError) Error() string {
	return "signal " + e.Signal + " is waited for by run " + e.Run.String()
}

// LockedError says that a run holds the lock of a singleton that a new run takes over: the holder has to be cancelled first.
// Nothing was written; cancel it and schedule again.
type LockedError struct {
	Lock   string
	Holder ulid.ULID
}

func (e *LockedError) Error() string {
	return "lock " + e.Lock + " is held by run " + e.Holder.String()
}

// SupersededError says that a debounce would drop an event that somebody waits for (flow.Outcome.Awaited), the run's own or an earlier one
// of the function, and that NewRun.Answers has nothing for it. Nothing was written; schedule again with an answer, or an empty one.
type SupersededError struct {
	Function uuid.UUID
	Event    event.Tracked
}

func (e *SupersededError) Error() string {
	return "event " + e.Event.InternalID.String() + ", which is awaited, is superseded for function " + e.Function.String()
}

// EventLog accepts events durably and hands each of them out for routing until it is settled.
type EventLog interface {
	// Append stores the events, all or none, and returns when they are durable. An event whose InternalID is stored
	// already is left as it is, so repeating a call changes nothing.
	Append(ctx context.Context, events []event.Tracked) error
	// Take waits until an event needs routing and returns one to max of them, oldest first. An event is with one taker
	// at a time; it is handed out again after Release, and after a restart, until Schedule settles it or Park removes it.
	Take(ctx context.Context, max int) ([]event.Tracked, error)
	// Release hands back an event that could not be routed, to be taken again not before at.
	Release(ctx context.Context, id ulid.ULID, at time.Time) error
	// Park takes an event that cannot be routed out of the log for good and records why. The event itself stays.
	Park(ctx context.Context, id ulid.ULID, reason string) error
}

// Store keeps runs in progress.
type Store interface {
	// Schedule creates runs with their first jobs, records those that do not start, accepts the published events, moves schedules
	// on and settles the event that was routed and the hold that was taken, all or none.
	//
	// What becomes of a run is decided here: flow.Admit, asked with what is stored under the keys of its Request, says whether it
	// starts, at which time, or its event goes into a hold, or nothing of it stays; and what was counted is stored with it. A run
	// without a Request starts. Neither starts if its IdempotencyKey was used in the last 24 hours. The answers are in the
	// order of the runs. Runs of one call are of different functions.
	//
	// ErrConflict: the event or the hold is settled already, the hold has changed, or a schedule is not where the caller thinks.
	// ErrOutdated: a run is on the far side of a fence. *LockedError: a run is to take over the lock of another.
	// *SupersededError: an event is superseded without an answer. Each writes nothing.
	Schedule(ctx context.Context, s Schedule) ([]Scheduled, error)
	// Fence makes Schedule refuse runs of the function whose IDs are of a time before that one, as long as the process
	// lives: whoever decided on them did not know what the caller knows. Runs that Schedule created before are there when
	// it returns. An earlier fence of the function that is later in time stays.
	Fence(ctx context.Context, function uuid.UUID, before time.Time) error
	// RunsOf returns the IDs of a function's runs in progress, in their order. The cost depends on the runs of that
	// function that it returns, not on others.
	RunsOf(ctx context.Context, q RunsQuery) ([]ulid.ULID, error)
	// Load returns a run in progress; ErrNotFound when there is none or it has ended.
	Load(ctx context.Context, id ulid.ULID) (run.State, error)
	// Commit makes a transition true, all of it or nothing: steps, jobs, the fate of the leased job, the attempts of a job
	// that is reset, leased or not, published events,
	// metadata as far as the run has room for it (metadata.Fit), the end of the run, and the history of all that. It returns
	// the state afterwards (run.State.Apply).
	// ErrConflict: the run is not at the revision the transition was decided on. ErrLeaseLost: the job is not leased
	// by the caller. ErrNotFound: the run has ended. *SignalTakenError: a pause of the transition is for a signal that
	// another run waits for, and does not replace it. A pause that does replace takes the signal from the other run, whose
	// own pause stays until its timeout.
	Commit(ctx context.Context, c Commit) (run.State, error)
	// Paused returns the pauses of all runs that the event may end: at least those whose event name is the event's and whose
	// expression it meets, expired ones too. The caller evaluates and decides; the fewer it is given in vain, the better.
	// The cost must not grow with the pauses that the event cannot end. The order is by run and pause.
	Paused(ctx context.Context, e event.Tracked) ([]Paused, error)
	// SignalWaiter returns the run that waits for the signal; ErrNotFound when none does.
	SignalWaiter(ctx context.Context, signal string) (ulid.ULID, error)
}

// Paused is a pause of a run. See Store.Paused.
type Paused struct {
	Run   ulid.ULID
	Pause run.Pause
}

// Schedule is a routing decision. See Store.Schedule.
type Schedule struct {
	// Event is settled; zero when no event was routed.
	Event ulid.ULID
	// Hold is settled: it goes, with its events. Zero when none was taken.
	Hold HoldRef
	Runs []NewRun
	// Skipped are runs that the event would have started.
	Skipped []SkippedRun
	// Publish are events accepted with it, complete with IDs.
	Publish []event.Tracked
	// Ticks move schedules on, each schedule at most once.
	Ticks []Tick
}

// Tick moves the schedule of a function on. So a tick fires once, whoever fires it, however often and after whatever crash:
// only one can move the schedule from where it was.
type Tick struct {
	FunctionID uuid.UUID
	Expression string
	// At is the instant up to which the ticks of the schedule have been dealt with from now on: that of the tick that fires. Zero
	// forgets the schedule.
	At time.Time
	// Previous is where the schedule is; zero when it is not known yet.
	Previous time.Time
}

// SkippedRun is a run that does not start. History has it, and nothing else: it takes no idempotency key, has no state and no
// job, and ends as it begins.
type SkippedRun struct {
	RunID      ulid.ULID
	FunctionID uuid.UUID
	// Event is the internal ID of the first event that would have started it.
	Event ulid.ULID
	// Cron is the schedule that would have started it, empty for none.
	Cron string
	End  run.Finish
	// Spans are what history shows of it.
	Spans []trace.Span
}

// RunsQuery selects runs in progress. Zero fields do not select.
type RunsQuery struct {
	Function uuid.UUID
	// After and Before bound the times of the runs' IDs, both exclusive.
	After, Before time.Time
	// Cursor is the ID of a run; only greater ones are returned.
	Cursor ulid.ULID
	// Limit is the number of IDs to return at most; it is positive.
	Limit int
}

// NewRun is a run to be created.
type NewRun struct {
	State run.State
	// Start is the run's first job, More are those besides it.
	Start run.Job
	More  []run.Job
	// Steps are the memos that State begins with, by their names too.
	Steps []run.Step
	// Original is the first of the runs that this one repeats; zero for a run of its own.
	Original ulid.ULID
	// IdempotencyKey is refused a second time within 24 hours; empty for none.
	IdempotencyKey string
	// Request asks flow control; nil when the function has none. Its ID is the run's.
	Request *flow.Request
	// Paused says that the function was paused when the ID of the run was made.
	Paused bool
	// Instead are events that are accepted when the run does not start, by what becomes of it, complete with IDs.
	Instead map[flow.Result][]event.Tracked
	// Answers are events that are accepted when a debounce supersedes the run's event, or supersedes an earlier one by it: by the internal ID of
	// the superseded event, complete with IDs. See SupersededError.
	Answers map[ulid.ULID][]event.Tracked
	// Batch is the batch that the run is of; zero for none.
	Batch ulid.ULID
	// Cron is the schedule that started the run, empty for none.
	Cron string
	// Spans are what history shows of it when it starts; of one that is skipped instead it shows trace.Ended of them.
	Spans []trace.Span
}

// Scheduled says what became of a NewRun.
type Scheduled struct {
	Result flow.Result
	// RunID is that of the run that started or was recorded as skipped, or, of a duplicate, that of the earlier one; zero when
	// there is no run.
	RunID ulid.ULID
	// RetryAt is when a rate limit would let another through; of flow.RateLimited only.
	RetryAt time.Time
}

// Commit is a transition to be made true. See Store.Commit.
type Commit struct {
	// Lease is the leased job that led to the transition; zero for an input that no job led to, such as a cancel.
	Lease Lease
	// State is the state that the transition was decided on.
	State      run.State
	Transition run.Transition
	// Publish are Transition.Publish, complete with IDs.
	Publish []event.Tracked
	// Spans are what history shows of it. They are stored with it.
	Spans []trace.Span
}

// Queue hands out jobs that are due and for which there is room.
type Queue interface {
	// Lease waits for a job and gives it to the caller alone until Commit, Return or Park. Functions take turns; within a
	// function the job with the lowest flow.Score comes first, of equal ones that which came first.
	//
	// A job that calls the app or makes a request for it needs room in the constraints of its run's keys (flow.Settings.Constraints)
	// while it is leased; the first job of a run also needs a token of its throttle, which is spent durably before the job is
	// handed out, and a place among the runs in progress (flow.Settings.RunConstraint), which the run holds until it has ended, whatever
	// crashes in between. What has no room waits without being in the way of others, and comes as soon as there is room.
	Lease(ctx context.Context) (Lease, error)
	// Limit makes settings what the jobs of a function are limited by from now on, those that are queued too; nil for nothing.
	// Jobs in hand keep their places. It is not kept: whoever starts a server says it for all functions, before the first Lease.
	Limit(function uuid.UUID, settings *flow.Settings)
	// Return hands a job back unchanged, not before at. The attempt is not counted.
	Return(ctx context.Context, l Lease, at time.Time) error
	// Park takes a job that cannot be worked on out of the queue and records why, where an operator sees it. The run
	// stays as it is.
	Park(ctx context.Context, l Lease, reason string) error
	// Generation is how often a job of a run was handed out, as the latest Lease of it says. ErrNotFound: the queue has no
	// such job, because it is done, dropped or parked.
	Generation(ctx context.Context, run ulid.ULID, job string) (int, error)
	// Jobs returns what the queue knows of jobs of a run, in the order in which they are named. Those that it does not have, because
	// they are done, dropped or parked, are left out.
	Jobs(ctx context.Context, run ulid.ULID, jobs []string) ([]QueuedJob, error)
	// Waiting is Jobs, and says of each why it is not done yet. It counts no more than flow.MostAhead others for a job, so the
	// queue is not held up by asking, however much waits.
	Waiting(ctx context.Context, run ulid.ULID, jobs []string) ([]JobWaiting, error)
	// Depth is how many jobs there are of each function that has any, in no order. The cost depends on the functions, not on the jobs.
	Depth(ctx context.Context) ([]Depth, error)
	// Begun returns the runs whose first job is in hand, and since when. It costs what is in hand, however much is queued.
	Begun(ctx context.Context) (map[ulid.ULID]time.Time, error)
}

// Depth is how many jobs of a function there are, each counted once.
type Depth struct {
	Function uuid.UUID
	// Ready are due, and nothing is known to keep them back; NoRoom wait for a limit or a throttle.
	Ready, NoRoom int
	// Later are not due yet, InHand are leased.
	Later, InHand int
}

// QueuedJob is a job that is queued or in hand. At is when it was to be done first, Attempt the one that it waits for or that is in hand.
type QueuedJob struct {
	run.Job
	// Since is when it was handed out; zero while nobody has it.
	Since time.Time
}

// JobWaiting is a job, and why it is not done yet.
type JobWaiting struct {
	QueuedJob
	flow.Waiting
}

// Lease is a job in the caller's hands.
type Lease struct {
	Job run.Job
	// Generation counts how often the job was handed out, from 1.
	Generation int
	// Token tells this lease from an earlier one of the same job; zero means no lease.
	Token uint64
	// Limited says that a limit or a throttle has kept the job back since it was due.
	Limited bool
}

// Catalog keeps apps and functions.
type Catalog interface {
	// Functions returns every active function of every active app, in no order.
	Functions(ctx context.Context) ([]function.Function, error)
	// FunctionsByID returns those of the functions that exist, archived or not, in no order. Of a single one, see One.
	FunctionsByID(ctx context.Context, ids []uuid.UUID) ([]function.Function, error)
	// FunctionsOf returns the active functions of an app, in no order; none for an app that is not known.
	FunctionsOf(ctx context.Context, app uuid.UUID) ([]FunctionRecord, error)
	// Apps returns the active apps, in no order.
	Apps(ctx context.Context) ([]function.App, error)
	// AppsByID returns those of the apps that exist, archived or not, in no order. Of a single one, see One.
	AppsByID(ctx context.Context, ids []uuid.UUID) ([]AppRecord, error)
	// AppByName returns the app with the name, archived or not; ErrNotFound when there is none.
	AppByName(ctx context.Context, name string) (AppRecord, error)
	// AppByURL returns the active app with exactly this URL.
	AppByURL(ctx context.Context, url string) (function.App, error)
	// AppPage returns apps in the order of their IDs.
	AppPage(ctx context.Context, q AppQuery) ([]AppRecord, error)
	// FunctionPage returns active functions of an app in the order of their IDs, none for an app that is not known.
	FunctionPage(ctx context.Context, q FunctionQuery) ([]function.Function, error)
	// Ticks returns where the schedules of a function are, of all functions when it is uuid.Nil, in no order: up to which
	// instant, At, their ticks have been dealt with. Previous is not set.
	Ticks(ctx context.Context, function uuid.UUID) ([]Tick, error)
	// Sync makes a plan true in one transaction: app written, functions archived, then functions written. Schedules follow the
	// triggers of the functions that are written: one that is new to its function begins at this instant, one that stays is left
	// where it is, one that is gone is forgotten, as are those of functions that are archived.
	Sync(ctx context.Context, plan function.SyncPlan) error
	// PutPlaceholder stores an app that has a URL but has not registered yet, unless an active app has the URL.
	PutPlaceholder(ctx context.Context, app function.App) error
	// SetAppError records why an app cannot be used; empty clears it.
	SetAppError(ctx context.Context, id uuid.UUID, message string) error
	// SetAppURL changes where an app is, archived or not, and nothing else. ErrNotFound: there is no such app.
	SetAppURL(ctx context.Context, id uuid.UUID, url string) error
	// RemoveApp archives an app and its functions, and forgets their schedules.
	RemoveApp(ctx context.Context, id uuid.UUID) error
	// SetPaused pauses a function, known or not, or resumes it. What it is already it stays. The flag outlives syncs and the
	// process.
	SetPaused(ctx context.Context, function uuid.UUID, paused bool) error
	// PausedFunctions returns the functions that are paused, in no order.
	PausedFunctions(ctx context.Context) ([]uuid.UUID, error)
}

// AppRecord is an app with what the catalog knows besides.
type AppRecord struct {
	function.App
	// CreatedAt is when the app was first stored; ArchivedAt is zero for one that is active.
	CreatedAt, ArchivedAt time.Time
	// Functions is how many active functions it has.
	Functions int
}

// FunctionRecord is a function with what the catalog knows besides.
type FunctionRecord struct {
	function.Function
	// CreatedAt is when the function was first stored, by the clock of the server that stored it.
	CreatedAt time.Time
}

// One is what there is of one thing that was asked for by a list; ErrNotFound when there is nothing.
func One[T any](found []T, err error) (T, error) {
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// AppQuery selects the active apps, or the archived ones.
type AppQuery struct {
	Archived bool
	// After is an ID; only greater ones are returned.
	After uuid.UUID
	// Limit is the number of apps to return at most; it is positive.
	Limit int
}

// FunctionQuery selects the active functions of an app.
type FunctionQuery struct {
	App uuid.UUID
	// After is an ID; only greater ones are returned.
	After uuid.UUID
	// Limit is the number of functions to return at most; it is positive.
	Limit int
}

// History answers what happened. Reads see everything that was committed before the call.
type History interface {
	// Event returns a stored event by internal ID.
	Event(ctx context.Context, id ulid.ULID) (event.Tracked, error)
	// Events returns events without those of the server itself, newest first.
	Events(ctx context.Context, q EventQuery) ([]event.Tracked, error)
	// EventRuns returns the runs that the event started first, oldest first.
	EventRuns(ctx context.Context, id ulid.ULID) ([]RunRecord, error)
	// Run returns a run, in progress or ended.
	Run(ctx context.Context, id ulid.ULID) (RunRecord, error)
	// Steps returns the steps of a run that have a memo, in the order in which they were saved, whether the run is in progress
	// or has ended. A run that is not known has none.
	Steps(ctx context.Context, id ulid.ULID) ([]run.Step, error)
	// Origin returns what started a run, in progress or ended; ErrNotFound when the run or an event of it is not kept any more.
	Origin(ctx context.Context, id ulid.ULID) (Origin, error)
	// Spans returns all rows of a run's trace, ordered by start, end and ID, without inputs and outputs, which may be large, but
	// saying where they are. Those of a run that the server itself wrote tell of everything that was committed; rows of one span
	// may have been put together (trace.Merge). A run that is not known has none.
	Spans(ctx context.Context, run ulid.ULID) ([]trace.Span, error)
	// SpansOf returns what Spans returns of each of the runs, in as few reads as possible. Runs without rows are not in the answer.
	SpansOf(ctx context.Context, runs []ulid.ULID) (map[ulid.ULID][]trace.Span, error)
	// Payload returns the input and the output of one row, by its ID; nil for none. ErrNotFound: the run has no such row.
	Payload(ctx context.Context, run ulid.ULID, span string) (input, output json.RawMessage, err error)
	// AddSpans stores rows of spans that apps made themselves, all of them in one step, durable when it returns. A row whose trace and ID
	// are there already is left as it is, so it may be repeated. Rows of runs that history does not know, and those that a run has no
	// more room for (trace.MostUserland), are left out; it returns how many these are.
	AddSpans(ctx context.Context, rows []trace.Span) (left int, err error)
	// Response returns the answer that a durable endpoint has given to its client; nil when it has given none.
	Response(ctx context.Context, id ulid.ULID) (*sdk.HTTPResult, error)

	// Runs returns a page of runs. What it costs depends on the page, not on how many runs there are, for any one function or status.
	Runs(ctx context.Context, q RunList) ([]RunSummary, error)
	// CountRuns counts the runs of all pages.
	CountRuns(ctx context.Context, q RunList) (int, error)
	// Summaries returns those of the runs that are known, in no order.
	Summaries(ctx context.Context, ids []ulid.ULID) ([]RunSummary, error)
	// EventsByID returns those of the events that are stored, in no order.
	EventsByID(ctx context.Context, ids []ulid.ULID) ([]event.Tracked, error)
	// EventPage returns a page of events.
	EventPage(ctx context.Context, q EventList) ([]event.Tracked, error)
	// CountEvents counts the events of all pages.
	CountEvents(ctx context.Context, q EventList) (int, error)
	// RunsOfEvents returns the runs that each of the events started or would have started, also those of a batch that the event was in,
	// oldest first. Events without runs are not in the answer.
	RunsOfEvents(ctx context.Context, ids []ulid.ULID) (map[ulid.ULID][]RunSummary, error)
}

// Origin is what started a run.
type Origin struct {
	// Events are complete; there is at least one.
	Events []event.Tracked
	// Endpoint is set for runs of durable endpoints.
	Endpoint *run.Endpoint
}

// EventQuery selects events. Zero fields do not select.
type EventQuery struct {
	Name string
	// After and Before bound ReceivedAt, inclusive.
	After, Before time.Time
	// Cursor is an internal ID; only smaller ones are returned.
	Cursor ulid.ULID
	Limit  int
}

// RunRecord is what history knows of a run.
type RunRecord struct {
	RunID           ulid.ULID
	StartedAt       time.Time
	FunctionID      uuid.UUID
	FunctionVersion int
	EventID         ulid.ULID
	BatchID         ulid.ULID
	OriginalRunID   ulid.ULID
	Cron            string
	Status          run.Status
	// EndedAt is zero while the run is in progress.
	EndedAt time.Time
	// Output is raw; nil while the run is in progress.
	Output []byte
}

// Worker calls apps.
type Worker interface {
	// Call makes one call and returns what came back. Failures to get a response are part of the response; the error is
	// for what is not the app's doing, such as a context that ended.
	Call(ctx context.Context, c Call) (sdk.Response, error)
	// Ping asks the app at the URL to register and returns what came back.
	Ping(ctx context.Context, url string) (sdk.Response, error)
	// Probe looks for an app at the URL: true when an SDK answers a GET.
	Probe(ctx context.Context, url string) bool
}

// Call is a call to an app.
type Call struct {
	// Method is the HTTP method; empty is POST.
	Method string
	URL    string
	// Header holds the headers of the call, without those that the transport owns.
	Header map[string]string
	Body   []byte
}

// Clock tells the time and waits for it. What is stored, decided and waited for by time goes through it, so that it may run at
// another pace than the machine's. Bounds on I/O, such as timeouts of connections, do not: the other side lives in real time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, in a goroutine of its own, once d has passed by this clock; at once when d is not positive. stop keeps
	// it from being called, and reports whether it did: false says that f is called already, or was stopped before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// IDs makes identifiers.
type IDs interface {
	// ULID returns a new ULID of the given time; later calls within a millisecond return greater ones.
	ULID(at time.Time) ulid.ULID
}

// Random is a source of jitter.
type Random interface {
	// Duration returns a uniform duration in [0, limit).
	Duration(limit time.Duration) time.Duration
}
