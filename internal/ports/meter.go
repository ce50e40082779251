package ports

import (
	"time"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Meter is told what happens, to count it. Every method returns at once: it is called on the way of each job, some under locks, and must
// neither wait, nor allocate, nor call back.
type Meter interface {
	// HandedOut: a job was handed out, so long after it was due. limited says that a limit or a throttle has kept it back meanwhile, so that
	// the time does not speak of the server.
	HandedOut(function uuid.UUID, kind run.Kind, waited time.Duration, limited bool)
	// Limited: jobs of the function met a limit. Jobs that need the same meet it together, once.
	Limited(function uuid.UUID, kind flow.LimitKind)
	// Decided: that became of what might have started a run.
	Decided(function uuid.UUID, result flow.Result)
	// RunStarted: a run is about to be called for the first time. It may be told again after a crash.
	RunStarted(function uuid.UUID)
	// RunEnded: a run that had been scheduled has ended.
	RunEnded(function uuid.UUID, status run.Status)
	// CallsScheduled: so many jobs that call the app were stored, attempts that are to be made again among them.
	CallsScheduled(function uuid.UUID, count int)
	// CallStarted: the app is about to be called.
	CallStarted(function uuid.UUID)
	// CallEnded: the app was called.
	CallEnded(function uuid.UUID, result CallResult)
}

// CallResult is how a call of an app ended.
type CallResult int

// The results of calls.
const (
	// CallSucceeded: the app has answered with what it did or wants.
	CallSucceeded CallResult = iota
	// CallErrored: there was no answer, or one of a failure that may be gone the next time.
	CallErrored
	// CallFailed: the app has answered that it is not to be called again.
	CallFailed
	// CallResults is how many results there are.
	CallResults = iota
)

// String is the result's name in the metric of calls. Spec 17 §1.
func (r CallResult) String() string { return [...]string{"success", "errored", "failed"}[r] }

// NoMeter counts nothing.
type NoMeter struct{}

var _ Meter = NoMeter{}

// HandedOut implements Meter, as do the others.
func (NoMeter) HandedOut(uuid.UUID, run.Kind, time.Duration, bool) {}

// Limited implements Meter.
func (NoMeter) Limited(uuid.UUID, flow.LimitKind) {}

// Decided implements Meter.
func (NoMeter) Decided(uuid.UUID, flow.Result) {}

// RunStarted implements Meter.
func (NoMeter) RunStarted(uuid.UUID) {}

// RunEnded implements Meter.
func (NoMeter) RunEnded(uuid.UUID, run.Status) {}

// CallsScheduled implements Meter.
func (NoMeter) CallsScheduled(uuid.UUID, int) {}

// CallStarted implements Meter.
func (NoMeter) CallStarted(uuid.UUID) {}

// CallEnded implements Meter.
func (NoMeter) CallEnded(uuid.UUID, CallResult) {}
