package embedded

import (
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/domain/run"
)

// plannedJobs are jobs to be created, with their records.
type plannedJobs struct {
	jobs     []run.Job
	payloads [][]byte
	// keys are those of the run.
	keys *flow.Keys
	size int
}

// planJobs completes new jobs of a run and prepares their records. The slice becomes its own.
func planJobs(s run.State, jobs []run.Job) plannedJobs {
	p := plannedJobs{jobs: jobs, payloads: make([][]byte, len(jobs)), keys: s.Keys}
	for i := range jobs {
		jobs[i].RunID = s.ID
		if jobs[i].FunctionID == uuid.Nil {
			jobs[i].FunctionID = s.FunctionID
		}
		p.payloads[i] = jobRecord(jobs[i])
		p.size += 80 + len(p.payloads[i])
	}
	return p
}

// write writes the jobs but for those whose ID the run has already.
func (p *plannedJobs) write(t *tx, runID ulid.ULID) error {
	for i, job := range p.jobs {
		if _, err := t.exec(t.statements.insertJob, runID[:], job.ID, nanos(job.At), job.Attempt, p.payloads[i]); err != nil {
			return err
		}
	}
	return nil
}

// plannedPauses are pauses to be created, with their records.
type plannedPauses struct {
	pauses []run.Pause
	bodies [][]byte
	size   int
}

func planPauses(pauses []run.Pause) plannedPauses {
	p := plannedPauses{pauses: pauses, bodies: make([][]byte, len(pauses))}
	for i, pause := range pauses {
		p.bodies[i] = pauseRecord(pause)
		p.size += 80 + len(p.bodies[i])
	}
	return p
}

// write writes the pauses, in the place of those with their IDs.
func (p *plannedPauses) write(t *tx, runID ulid.ULID) error {
	for i, pause := range p.pauses {
		if _, err := t.exec(t.statements.putPause, runID[:], pause.ID[:], pause.Event, p.bodies[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeParts writes parts of a run, in the place of what they were.
func writeParts(t *tx, runID ulid.ULID, parts []part) error {
	for _, changed := range parts {
		if _, err := t.exec(t.statements.putRunPart, runID[:], changed.kind, changed.id, changed.body); err != nil {
			return err
		}
	}
	return nil
}

func partsSize(parts []part) int {
	size := 0
	for _, changed := range parts {
		size += 60 + len(changed.id) + len(changed.body)
	}
	return size
}
