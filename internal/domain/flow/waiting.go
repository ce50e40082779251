package flow

import "time"

// Reason is why a job is not done yet. The texts are for answers.
type Reason string

// The reasons.
const (
	// InHand: somebody works on it.
	InHand Reason = "running"
	// DueLater: its time has not come.
	DueLater Reason = "later"
	// ForWorker: nothing keeps it back but the jobs before it, and that everybody who works on jobs is busy.
	ForWorker Reason = "worker"
	// ForRoom: a limit of steps or runs has no room for it.
	ForRoom Reason = "room"
	// ForToken: its throttle has no token for it.
	ForToken Reason = "throttle"
)

// MostAhead is up to how many jobs are counted before one that waits.
const MostAhead = 10_000

// Waiting is why a job waits, and how long it may have to.
type Waiting struct {
	Reason Reason
	// Limit is what keeps it back, for ForRoom and ForToken; otherwise nil. Of several it is one.
	Limit *Limit
	// Ahead is how many jobs of its function wait for the same and come before it, for ForWorker, ForRoom and ForToken. AtLeast says that
	// counting ended before all of them were counted.
	Ahead   int
	AtLeast bool
	// Functions is how many functions take turns where it waits, its own among them; 0 where there are no turns.
	Functions int
	// Expected is when its wait is over: for DueLater its time; for ForToken when it gets its token if nothing comes before it that is not
	// there yet; for ForRoom an estimate by how fast there was room of late. Zero when nothing can be said.
	Expected time.Time
}

// Pace is how fast a limit has let jobs through while others waited.
type Pace struct {
	// Since is when somebody began to wait; Passed is how many that had waited have been let through from then on.
	Since  time.Time
	Passed int
}

// Expect is when a job is let through, if it goes on as it has: the function's jobs ahead and the job itself, each in its turn among the
// functions. It is zero if nothing has passed yet.
func (p Pace) Expect(ahead, functions int, now time.Time) time.Time {
	if p.Passed <= 0 {
		return time.Time{}
	}
	each := float64(max(now.Sub(p.Since), 0)) / float64(p.Passed)
	wait := min(each*float64(ahead+1)*float64(max(functions, 1)), float64(horizon))
	return now.Add(time.Duration(wait))
}
