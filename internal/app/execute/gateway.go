package execute

import (
	"context"
	"fmt"

	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// gateway makes the request of a step, in the app's stead, and says what came of it.
func (x *Executor) gateway(ctx context.Context, lease ports.Lease, s run.State, call run.Gateway, limits run.Limits) (run.Input, error) {
	job := lease.Job
	op := sdk.Op{Op: sdk.Opcode(call.Op), ID: job.Edge.Target, DisplayName: job.Edge.TargetName, Opts: call.Opts}
	calledAt := x.clock.Now()
	outcome, exchange, err := x.fetch(ctx, s, op, job.LastAttempt())
	if err != nil {
		return nil, fmt.Errorf("request of step %s of run %s: %w", op.ID, job.RunID, err)
	}
	in := run.Gatewayed{Job: job, Memo: outcome.Memo, CalledAt: calledAt, Now: x.clock.Now(), Limits: limits, Backoff: x.backoff(), Exchange: exchange}
	if outcome.Memo == nil {
		in.Failure = &sdk.Failure{Text: outcome.Error, Name: "Error", Engine: true}
	}
	return in, nil
}

func (x *Executor) fetch(ctx context.Context, s run.State, op sdk.Op, last bool) (gateway.Outcome, run.Exchange, error) {
	request, err := gateway.Decode(op)
	if err != nil {
		return gateway.Refused(op.Op, err), run.Exchange{}, nil
	}
	began := x.clock.Now()
	response, err := x.relayed(ctx, s, request)
	if err != nil {
		return gateway.Outcome{}, run.Exchange{}, err
	}
	exchange := run.Exchange{Status: response.Status, Size: len(response.Body), Metadata: request.Describe(response, x.clock.Now().Sub(began))}
	return request.Outcome(response, last), exchange, nil
}
