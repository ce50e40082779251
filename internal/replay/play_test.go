package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// play sends what the app and the recorder sent.
func (c *conversation) play(ctx context.Context) {
	for _, one := range c.rec.exchanges {
		if !slices.Contains([]string{"client->server", "app->server"}, one.request.Dir) {
			continue
		}
		c.await(ctx, one.request.Seq)
		// An event that came before its own time would be one from the future.
		c.sleepUntil(ctx, c.rec.at(c.rw.start, one.request).Add(c.rw.shift))
		c.mu.Lock()
		target, body := c.personal(one.request.Path), c.personal(one.request.Body)
		want := one.response
		want.Body = c.personal(want.Body)
		c.mu.Unlock()
		cmp := &comparer{where: fmt.Sprintf("%s %d", one.request.Method, one.number), excuse: fitsFetched}
		cmp.exchange(ctx, c.app.srv, c.rw, one.request, target, body, want)
		c.mu.Lock()
		c.found = append(c.found, cmp.found...)
		c.mu.Unlock()
	}
}

// sleepUntil waits for a time, none at all when the recording holds no time.
func (c *conversation) sleepUntil(ctx context.Context, at time.Time) {
	_ = poll(ctx, time.Minute, func() error {
		if wait := time.Until(at); wait > 0 && !c.rw.start.IsZero() && !c.hurry {
			return fmt.Errorf("it is %s too early", wait)
		}
		return nil
	})
}

// taken is the time that a server may take to act on an answer before the next event or request, which may need it.
const taken = 300 * time.Millisecond

// await waits until the server has made the calls before a place in the recording, and has taken their answers.
func (c *conversation) await(ctx context.Context, seq int) {
	_ = poll(ctx, 10*time.Second, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, function := range c.functions {
			for _, call := range function.calls {
				settled := !call.answered.IsZero() && (c.hurry || time.Since(call.answered) >= taken)
				if (call.request.Seq < seq && !call.done) || (call.response.Seq < seq && !settled) {
					return fmt.Errorf("call %d is not made and answered", call.number)
				}
			}
		}
		return nil
	})
}

// finish waits for all calls and for the end of all runs, and notes what did not come.
func (c *conversation) finish(ctx context.Context) {
	for _, recorded := range slices.Sorted(maps.Keys(c.functions)) {
		function := c.functions[recorded]
		_ = poll(ctx, 15*time.Second, func() error {
			c.mu.Lock()
			runID := function.runID
			c.mu.Unlock()
			if function.complete() || (runID != "" && c.app.srv.ended(ctx, runID, time.Millisecond) == nil) {
				return nil
			}
			return fmt.Errorf("calls are missing")
		})
		if function.runID != "" {
			if err := c.app.srv.ended(ctx, function.runID, 10*time.Second); err != nil {
				c.found = append(c.found, mismatch{where: "run of " + function.slug, field: "end", want: "an end", got: err.Error()})
			}
			if run, err := c.app.srv.run(ctx, function.runID); err == nil {
				function.storedEvent = run.EventID
				function.checkBatch(run)
			}
		}
		c.mu.Lock()
		for _, call := range function.calls {
			if !call.done {
				c.found = append(c.found, mismatch{where: function.where(call), field: "call", want: call.job, got: "(not made)"})
			}
		}
		c.mu.Unlock()
	}
}

// personal moves a text of the recording to the server's time and ids. The conversation must be locked.
func (c *conversation) personal(recorded string) string {
	text := c.rw.text(recorded)
	for _, function := range c.functions {
		text = function.personal(text)
		if recorded := c.rec.eventOf(function.calls[0].ctx.RunID); recorded != "" && function.storedEvent != "" && function.batch == nil {
			text = strings.ReplaceAll(text, recorded, function.storedEvent)
		}
	}
	return text
}
