package trace

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
)

// record is one attempt of something that a run did: of a step, of a wait, or of a call outside of steps. Both trees are made of records,
// and both servers' rows come down to them: the reference has a row for the call and another for the step, we have one.
type record struct {
	id, step, job, group string
	// requests are the calls that it has to do with.
	requests             []string
	attempt, maxAttempts int
	// op is how the SDK calls it.
	op     string
	status Status
	// final says that it was to end the function, call that nothing is known but that a call was made.
	final, call bool
	name        string
	runType     string
	row         *group // nil for what is only live
	input       string
	output      string
	// Times are zero when they are not known.
	queued, scheduled, started, ended time.Time
	response                          *Response
	metadata                          []Metadata
	// checkpoint says that the app saved it during a call.
	checkpoint bool
	// came is what is told of the call that came to it without working on it; nil for none.
	came  *called
	below []*group
}

// entry is what clients see as one thing: all attempts of a step, or of a call.
type entry struct {
	key     string
	records []*record
}

func (e *entry) last() *record { return e.records[len(e.records)-1] }

// story is a run, as both trees tell it.
type story struct {
	*forest
	live    Live
	entries []*entry
	// spans of the app that belong to no attempt.
	loose []*group
}

// tell finds out what the run did.
func tell(rows []Span, live Live) (*story, error) {
	f, err := plant(rows)
	if err != nil {
		return nil, err
	}
	s := &story{forest: f, live: live}
	var records []*record
	var calls []*group
	for _, g := range f.root.down {
		switch g.name {
		case NameStep, NameNonStep:
			records = append(records, recordOf(g))
		case NameExecution:
			calls = append(calls, g)
		case NameDiscovery: // what is below it counts
			for _, below := range g.down {
				switch below.name {
				case NameExecution:
					calls = append(calls, below)
				case NameStep, NameNonStep:
					records = append(records, recordOf(below))
				default:
					s.loose = append(s.loose, below)
				}
			}
		default: // of the app, or of a kind that is not known
			s.loose = append(s.loose, g)
		}
	}
	slices.SortFunc(calls, byStart)
	for _, call := range calls {
		records = match(records, call)
	}
	if last := s.lastCall(records); last != nil {
		records = append(records, last)
	}
	giveTimings(records)
	s.group(records)
	s.adopt()
	s.retried()
	s.addLive()
	s.leave()
	s.sort()
	return s, nil
}

// recordOf reads a row of a step, or of a call outside of steps.
func recordOf(g *group) *record {
	a := g.attrs
	r := &record{
		id: g.id, step: a.text(KeyStepID), job: a.text(KeyJobID), group: a.text(KeyGroupID), requests: g.requests,
		op: a.text(KeyStepOp), status: g.status, name: a.text(KeyStepName), runType: a.text(KeyStepRunType), row: g,
		input: g.inputRow, output: g.outputRow, queued: a.at(KeyQueuedAt), scheduled: a.at(KeyScheduledAt),
		started: a.at(KeyStartedAt), response: g.response(),
	}
	r.attempt, _ = a.number(KeyAttempt)
	r.attempt = max(r.attempt, 0)
	r.maxAttempts, _ = a.number(KeyMaxAttempts)
	if r.queued.IsZero() {
		r.queued = millisecond(g.start)
	}
	if r.status.Ended() {
		if r.ended = a.at(KeyEndedAt); r.ended.IsZero() {
			r.ended = millisecond(g.end)
		}
	}
	r.checkpoint, _ = a.flag(KeyCheckpoint)
	switch g.name {
	case NameNonStep:
		r.final = true
	case NameExecution:
		r.final, _ = a.flag(KeyFunctionOutput)
		r.call = !r.final && r.step == ""
	}
	r.metadata = append(slices.Clone(g.metadata), g.told()...)
	r.timed(a)
	for _, below := range g.down {
		r.below = append(r.below, unwrap(below)...)
	}
	return r
}

// wrapperName is the span that SDKs put around what an app traces itself.
const wrapperName = "inngest.execution"

// unwrap leaves out the wrapper.
func unwrap(g *group) []*group {
	if g.name == NameUserland && g.attrs.text(keyUserlandName) == wrapperName && len(g.down) > 0 {
		return g.down
	}
	return []*group{g}
}

// match gives a call of the reference to the attempt that it made. One that only planned gives what is attached to it to what it planned.
func match(records []*record, call *group) []*record {
	c := recordOf(call)
	dropped, _ := call.attrs.flag(keyDrop)
	var of *record
	for _, r := range records {
		if r.row.name == NameExecution {
			continue
		}
		same := c.step != "" && r.step == c.step && r.attempt == c.attempt || c.step == "" && r.final && r.group == c.group && r.attempt == c.attempt
		if len(c.requests) > 0 && len(r.requests) > 0 {
			same = slices.Contains(r.requests, c.requests[0]) && (dropped && !endsOnly(r, c) || same || c.step == "" && r.final || c.step == r.step)
		}
		if same && (of == nil || r.row.began().Before(of.row.began())) {
			of = r
		}
	}
	switch {
	case of != nil:
		of.metadata = append(of.metadata, c.metadata...)
		of.below = append(of.below, c.below...)
		if of.response == nil && !dropped {
			of.response = c.response
		}
		if of.output == "" {
			of.output = c.output
		}
	case !dropped:
		records = append(records, c)
	}
	return records
}

// endsOnly says that the call had to do with the end of a wait only: it was made to find out what is next.
func endsOnly(r, call *record) bool { return len(r.requests) > 1 && r.requests[0] != call.requests[0] }

// lastCall is the call that ended the function, of which the run's own last row tells.
func (s *story) lastCall(records []*record) *record {
	a := s.root.attrs
	started := a.at(KeyCallStartedAt)
	final, _ := a.flag(KeyFunctionOutput)
	group := a.text(KeyGroupID)
	if started.IsZero() || !final || !s.root.status.Ended() {
		return nil
	}
	attempt := 0
	limit, _ := a.number(KeyMaxAttempts)
	for _, r := range records {
		switch {
		case !r.final || r.group != group:
		case r.status != Errored:
			return nil
		default:
			attempt = max(attempt, r.attempt+1)
		}
	}
	r := &record{
		id: NonStepID(group, attempt), job: a.text(KeyJobID), group: group, attempt: attempt, status: s.root.status,
		maxAttempts: limit, final: true, row: s.root, output: s.root.outputRow, queued: started, scheduled: started, started: started, ended: s.ended(), response: s.root.response(),
	}
	r.timed(a)
	return r
}

// group puts the attempts of one thing together.
func (s *story) group(records []*record) {
	slices.SortStableFunc(records, func(a, b *record) int {
		return cmp.Or(a.decided()-b.decided(), cmp.Compare(a.attempt, b.attempt), a.began().Compare(b.began()), cmp.Compare(a.id, b.id))
	})
	places := map[string]*entry{}
	for _, r := range records {
		key := "call " + r.group
		switch {
		case r.step != "":
			key = "step " + r.step
		case r.final:
			key = "final " + r.group
		}
		e := places[key]
		if e == nil {
			e = &entry{key: key}
			places[key] = e
			s.entries = append(s.entries, e)
		}
		e.records = append(e.records, r)
	}
	for _, e := range s.entries {
		e.leavePlan()
	}
}

// leavePlan takes out that something was planned, which is not an attempt, when there are attempts.
func (e *entry) leavePlan() {
	at := slices.IndexFunc(e.records, func(r *record) bool {
		return r.status == Queued || r.op == string(sdk.OpStepPlanned) && !r.status.Ended()
	})
	if at < 0 || len(e.records) == 1 {
		return
	}
	planned := e.records[at]
	e.records = slices.Delete(e.records, at, at+1)
	e.records[0].metadata = append(e.records[0].metadata, planned.metadata...)
}

// adopt gives attempts of a call that failed outside of steps to the step that the call came to in the end.
func (s *story) adopt() {
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		last := e.last()
		if !last.final || last.status != Errored {
			return false
		}
		var to *entry
		for _, other := range s.entries {
			first := other.records[0]
			if other != e && first.step != "" && first.group == last.group && first.group != "" && first.attempt > last.attempt &&
				(to == nil || first.began().Before(to.records[0].began())) {
				to = other
			}
		}
		if to != nil {
			to.records = append(slices.Clone(e.records), to.records...)
		}
		return to != nil
	})
}

// retried puts the attempts of the last call in front of it that came to a step that failed: made again, it came to the end of the function.
func (s *story) retried() {
	for _, end := range s.entries {
		first := end.records[0]
		if !first.final || first.attempt == 0 || first.group == "" {
			continue
		}
		var before []*record
		for _, e := range s.entries {
			for _, r := range e.records {
				if r.step != "" && r.status == Errored && r.group == first.group && r.attempt < first.attempt {
					call := *r
					call.id, call.metadata, call.below = NonStepID(r.group, r.attempt), nil, nil
					before = append(before, &call)
				}
			}
		}
		slices.SortStableFunc(before, func(a, b *record) int { return cmp.Compare(a.attempt, b.attempt) })
		end.records = append(before, end.records...)
	}
}

// decided sorts the attempt that settled the matter behind the others.
func (r *record) decided() int {
	if r.status.Ended() && r.status != Errored {
		return 1
	}
	return 0
}

// ends is 1 for what is to end the function.
func (r *record) ends() int {
	if r.final {
		return 1
	}
	return 0
}

// exact is when the row begins, to more than the millisecond.
func (r *record) exact() time.Time {
	if r.row == nil {
		return r.began()
	}
	return r.row.start
}

// began is when the attempt came to be.
func (r *record) began() time.Time {
	if !r.started.IsZero() {
		return r.started
	}
	return r.queued
}

// addLive adds the attempts that are queued or in hand.
func (s *story) addLive() {
	jobs := slices.Clone(s.live.Jobs)
	slices.SortFunc(jobs, func(a, b LiveJob) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	for _, job := range jobs {
		e := s.entryOf(job)
		attempt := &record{
			id: seededSpan("attempt:" + job.ID + ":" + strconv.Itoa(job.Attempt)), step: job.Step, job: job.ID, group: GroupID(job.ID), attempt: max(job.Attempt, 0), status: Queued,
			call: job.Step == "", name: job.Name, queued: millisecond(job.At), scheduled: millisecond(job.At), started: millisecond(job.Since),
		}
		if !attempt.started.IsZero() {
			attempt.status = Running
		}
		switch {
		case e == nil && (job.Step != "" || attempt.status == Running):
			if job.Gateway {
				attempt.op = "Gateway"
			} else if job.Step != "" {
				attempt.op = "StepPlanned"
			}
			s.entries = append(s.entries, &entry{key: "job " + job.ID, records: []*record{attempt}})
		case e == nil, e.last().decided() == 1: // what is settled is not made again
		case !e.last().status.Ended() && e.last().attempt == attempt.attempt:
			if last := e.last(); attempt.status == Running {
				last.status, last.started = Running, attempt.started
			}
		default:
			last := e.last()
			attempt.step, attempt.op, attempt.final, attempt.call = last.step, last.op, last.final, last.call
			attempt.name, attempt.runType, attempt.maxAttempts = last.name, last.runType, last.maxAttempts
			e.records = append(e.records, attempt)
		}
	}
}

// entryOf is what a job goes on with; nil for something new.
func (s *story) entryOf(job LiveJob) *entry {
	for _, e := range s.entries {
		last := e.last()
		if job.Step != "" && last.step == job.Step || job.Step == "" && last.status == Errored && last.job == job.ID {
			return e
		}
	}
	return nil
}

// leave ends what a run that has ended left behind: nothing comes of it any more.
func (s *story) leave() {
	if s.root.status.stage() < over {
		return
	}
	for _, e := range s.entries {
		for _, r := range e.records {
			if !r.status.Ended() {
				r.status, r.ended = Cancelled, later(s.ended(), r.began())
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// ended is when a run that has ended did.
func (s *story) ended() time.Time {
	return cmp.Or(s.root.attrs.at(KeyEndedAt), millisecond(s.root.end))
}

// sort orders what the run did by when it began, the attempts of one thing by their numbers. Of what began in one millisecond the call that
// ended the function is the last.
func (s *story) sort() {
	slices.SortStableFunc(s.entries, func(a, b *entry) int {
		x, y := a.records[0], b.records[0]
		return cmp.Or(x.began().Compare(y.began()), a.last().ends()-b.last().ends(), x.exact().Compare(y.exact()), cmp.Compare(x.id, y.id))
	})
	slices.SortFunc(s.loose, byStart)
	kept := false
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		last := e.last()
		if !last.final || last.status != Completed {
			return false
		}
		again := kept
		kept = true
		return again // the branches of a parallel group may all come to the end of the function
	})
}
