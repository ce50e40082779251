package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// pokes is how many of the waiting runs of profile waiting are resumed, one after the other.
const pokes = 200

// waitOp is a step that waits for the event of the run's own number, among all others of that name.
func (a *app) waitOp() map[string]any {
	return map[string]any{
		"id": fmt.Sprintf("%040x", 1), "op": "WaitForEvent", "name": a.wakeName, "displayName": "wait",
		"opts": map[string]string{"event": a.wakeName, "timeout": "24h", "if": "async.data.i == event.data.i"},
	}
}

// poke waits until all runs wait, and resumes some of them. A poked run's times are those of its poke.
func (b *bench) poke(ctx context.Context) error {
	p := b.app.profile
	if !b.app.waitUntil(b.opts.wait, func() bool { return b.app.started == p.count }) {
		return fmt.Errorf("only %d of %d runs wait", b.app.started, p.count)
	}
	time.Sleep(settle)
	b.res.RSSAsleep = b.server.usage().rss
	for n := range min(pokes, p.count) {
		index := n * (p.count / min(pokes, p.count))
		begin := time.Now()
		if err := b.client.sendOne(ctx, b.app.wakeName, index); err != nil {
			return err
		}
		if !b.app.waitUntil(b.opts.wait, func() bool { return !b.app.records[index].last.IsZero() }) {
			return fmt.Errorf("run %d was not resumed", index)
		}
		b.app.mu.Lock()
		b.res.resumed = append(b.res.resumed, b.app.records[index].last.Sub(begin))
		b.app.mu.Unlock()
	}
	return nil
}

// sendOne sends one event with a number.
func (c *client) sendOne(ctx context.Context, name string, index int) error {
	body := fmt.Sprintf(`{"name":%q,"data":{"i":%d}}`, name, index)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+"/e/"+c.eventKey, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := refusal(answer); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	return nil
}
