package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/ports"
)

// Output is what became of a run.
type Output struct {
	Status run.Status
	// Response is the endpoint's answer to its client; nil when the run has ended without one.
	Response *sdk.HTTPResult
	// Raw is the run record's output.
	Raw []byte
}

// lookAgain is how often the record of a run is read while its end is awaited. The news of the end come at once as a rule; they
// are sent at most once, and may be lost.
const lookAgain = 5 * time.Second

// Await waits until the run of an output token has ended, no longer than limit, and returns what became of it; a run that has
// not ended then is Running. ports.ErrBadToken for a token that gives no right to a run, ports.ErrNotFound for a run that is
// not known.
func (c *Checkpoint) Await(ctx context.Context, token string, limit time.Duration) (Output, error) {
	claims, err := c.tokens.VerifyRun(token, c.clock.Now())
	if err != nil {
		return Output{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	news, err := c.broadcast.Subscribe(ctx, []realtime.Topic{realtime.ChannelTopic(ids.EnvID(), claims.RunID.String(), realtime.NameRun)})
	if err != nil && !errors.Is(err, ports.ErrTooManySubscribers) {
		return Output{}, fmt.Errorf("await run %s: %w", claims.RunID, err)
	}
	if news != nil {
		defer news.Close()
	}
	for last := false; ; {
		output, err := c.output(context.WithoutCancel(ctx), claims.RunID)
		if err != nil || output.Status != run.Running || last {
			return output, err
		}
		c.wait(ctx, news)
		last = ctx.Err() != nil || c.closed.Err() != nil
	}
}

// Close ends all waiting for runs, as if its limit had come.
func (c *Checkpoint) Close() { c.close() }

// wait returns when there are news, when it is time to look again, or when ctx or the use case ends.
func (c *Checkpoint) wait(ctx context.Context, news ports.Subscription) {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)() //nolint:contextcheck // the end of the use case ends what ctx allows, too
	if news != nil {
		if _, err := news.Next(ctx); err == nil || ctx.Err() != nil {
			return
		}
	}
	<-ctx.Done()
}

// output is what is known of the run now.
func (c *Checkpoint) output(ctx context.Context, id ulid.ULID) (Output, error) {
	record, err := c.history.Run(ctx, id)
	if err != nil {
		return Output{}, fmt.Errorf("output of run %s: %w", id, err)
	}
	output := Output{Status: record.Status, Raw: record.Output}
	if output.Status != run.Running {
		output.Response, err = c.history.Response(ctx, id)
	}
	return output, err
}
