package portstest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// endedRunCases are the part of the contract of ports.History that is about runs to be repeated.
var endedRunCases = map[string]func(t *testing.T, p Ports){
	"Steps/are there while a run goes on and after its end": stepsOfRun,
	"Steps/of a run that begins with some are named":        stepsOfRerun,
	"Origin/is the events, in progress and after the end":   originOfRun,
	"Origin/of an event that is not kept is ErrNotFound":    originUnknown,
	"Origin/of a durable endpoint says how it is called":    originOfEndpoint,
	"Response/is what the endpoint answered":                responseOfRun,
	"Run/names the run that it repeats":                     originalRun,
}

// survives runs a check, and once more after a restart.
func survives(t *testing.T, p Ports, check func(p Ports)) {
	t.Helper()
	check(p)
	if p.Restart != nil {
		check(p.Restart())
	}
}

// logged accepts events and settles their routing with runs that they start.
func logged(t *testing.T, p Ports, events ...event.Tracked) {
	t.Helper()
	must(t, p.EventLog.Append(t.Context(), events))
	for _, e := range takeSoon(t, p, len(events)) {
		_, err := p.Store.Schedule(t.Context(), ports.Schedule{Event: e.InternalID})
		must(t, err)
	}
}

func stepsOfRun(t *testing.T, p Ports) {
	next := aRun(p)
	schedule(t, p, next)
	l := lease(t, p)
	first := run.Step{ID: "a", Memo: json.RawMessage(`{"data":1}`), Name: "the first \xff", Op: sdk.OpStepRun}
	last := run.Step{ID: "z", Memo: json.RawMessage(`null`), Name: "nap", Op: sdk.OpSleep}
	_, err := p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: next.State, Transition: run.Transition{
		Steps: []run.Step{first}, Current: run.Disposition{Fate: run.FateKeep},
	}})
	must(t, err)
	check := func(want ...run.Step) func(Ports) {
		return func(p Ports) {
			steps, err := p.History.Steps(t.Context(), next.State.ID)
			must(t, err)
			same(t, steps, want)
		}
	}
	check(first)(p)
	state, err := p.Store.Load(t.Context(), next.State.ID)
	must(t, err)
	end := ending(p)
	end.Steps = []run.Step{last}
	_, err = p.Store.Commit(t.Context(), ports.Commit{Lease: l, State: state, Transition: end})
	must(t, err)
	survives(t, p, check(first, last))
	_, err = p.Store.Load(t.Context(), next.State.ID)
	is(t, err, ports.ErrNotFound)
	steps, err := p.History.Steps(t.Context(), anEvent(p).InternalID)
	must(t, err)
	same(t, len(steps), 0)
	if _, err := p.History.Steps(ended(t), next.State.ID); err == nil {
		t.Fatal("read with an ended context")
	}
}

func stepsOfRerun(t *testing.T, p Ports) {
	next := aRun(p)
	named := run.Step{ID: "a", Memo: json.RawMessage(`{"data":1}`), Name: "one", Op: sdk.OpStepRun}
	plain := run.Step{ID: "b", Memo: json.RawMessage(`null`)}
	next.State = next.State.Apply(run.Job{}, run.Transition{Steps: []run.Step{named, plain}, RequestVersion: run.UnknownVersion})
	next.State.Jobs = map[string]run.Kind{next.Start.ID: next.Start.Kind}
	next.Steps = []run.Step{named}
	schedule(t, p, next)
	survives(t, p, func(p Ports) {
		steps, err := p.History.Steps(t.Context(), next.State.ID)
		must(t, err)
		same(t, steps, []run.Step{named, plain})
	})
}

func originOfRun(t *testing.T, p Ports) {
	one := anEvent(p)
	batch := []event.Tracked{anEvent(p), anEvent(p, withData(`{"big":"`+strings.Repeat("x", 1000)+`"}`))}
	batch[0].Sessions = map[string]string{"user": "u1"}
	logged(t, p, one, batch[0], batch[1])
	single, several := aRun(p, startedBy(one)), aRun(p, startedBy(batch...))
	schedule(t, p, single, several)
	check := func(p Ports) {
		for _, r := range []ports.NewRun{single, several} {
			origin, err := p.History.Origin(t.Context(), r.State.ID)
			must(t, err)
			same(t, origin, ports.Origin{Events: r.State.Events})
		}
	}
	check(p)
	finish(t, p, lease(t, p))
	finish(t, p, lease(t, p))
	survives(t, p, check)
}

func originUnknown(t *testing.T, p Ports) {
	_, err := p.History.Origin(t.Context(), anEvent(p).InternalID)
	is(t, err, ports.ErrNotFound)
	if _, err := p.History.Origin(ended(t), anEvent(p).InternalID); err == nil {
		t.Fatal("read with an ended context")
	}
}

// atEndpoint makes a run one of a durable endpoint.
func atEndpoint(endpoint run.Endpoint) func(*ports.NewRun) {
	return func(next *ports.NewRun) { next.State.Endpoint = &endpoint }
}

func originOfEndpoint(t *testing.T, p Ports) {
	first := anEvent(p)
	logged(t, p, first)
	endpoint := run.Endpoint{Method: "PATCH", Language: "js"}
	next := aRun(p, startedBy(first), atEndpoint(endpoint))
	schedule(t, p, next)
	check := func(p Ports) {
		origin, err := p.History.Origin(t.Context(), next.State.ID)
		must(t, err)
		same(t, origin, ports.Origin{Events: next.State.Events, Endpoint: &endpoint})
	}
	survives(t, p, check)
	survives(t, p, func(p Ports) {
		state, err := p.Store.Load(t.Context(), next.State.ID)
		must(t, err)
		same(t, state, next.State)
	})
	finish(t, p, lease(t, p))
	survives(t, p, check)
}

func responseOfRun(t *testing.T, p Ports) {
	next, plain := aRun(p, atEndpoint(run.Endpoint{Method: "GET"})), aRun(p)
	schedule(t, p, next, plain)
	response := func(p Ports, id ulid.ULID) *sdk.HTTPResult {
		got, err := p.History.Response(t.Context(), id)
		must(t, err)
		return got
	}
	same(t, response(p, next.State.ID), (*sdk.HTTPResult)(nil))
	want := &sdk.HTTPResult{Status: 418, Headers: map[string]string{"X-Mine": "é"}, Body: "no coffee\n"}
	end := ending(p)
	end.Finish.Response, end.Current.Fate = want, run.FateNone
	_, err := p.Store.Commit(t.Context(), ports.Commit{State: next.State, Transition: end})
	must(t, err)
	end.Finish.Response = nil
	_, err = p.Store.Commit(t.Context(), ports.Commit{State: plain.State, Transition: end})
	must(t, err)
	survives(t, p, func(p Ports) {
		same(t, response(p, next.State.ID), want)
		same(t, response(p, plain.State.ID), (*sdk.HTTPResult)(nil))
		same(t, response(p, anEvent(p).InternalID), (*sdk.HTTPResult)(nil))
	})
	if _, err := p.History.Response(ended(t), next.State.ID); err == nil {
		t.Fatal("read with an ended context")
	}
}

func originalRun(t *testing.T, p Ports) {
	original := aRun(p)
	again := aRun(p, func(next *ports.NewRun) { next.Original = original.State.ID })
	schedule(t, p, original, again)
	survives(t, p, func(p Ports) {
		record, err := p.History.Run(t.Context(), again.State.ID)
		must(t, err)
		same(t, record.OriginalRunID, original.State.ID)
		record, err = p.History.Run(t.Context(), original.State.ID)
		must(t, err)
		same(t, record.OriginalRunID, ulid.ULID{})
	})
}
