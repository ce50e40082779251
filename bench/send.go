package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// client talks to the server under test.
type client struct {
	api, eventKey, signKey string
	http                   *http.Client
}

func newClient(api string, opts options) *client {
	c := &client{
		api: api, eventKey: opts.eventKey,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: opts.senders + opts.readers}},
	}
	if opts.mode == "start" {
		c.signKey = opts.signKey
	}
	return c
}

// authorize shows the key of a server that wants one.
func (c *client) authorize(req *http.Request) error {
	if c.signKey == "" {
		return nil
	}
	raw, err := hex.DecodeString(c.signKey)
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	sum := sha256.Sum256(raw)
	req.Header.Set("Authorization", "Bearer "+hex.EncodeToString(sum[:]))
	return nil
}

// register tells the server of an app with one function, which the event name+"/go" triggers.
func (c *client) register(ctx context.Context, name, url string) error {
	function := map[string]any{
		"id": name + "-f", "name": "f", "triggers": []any{map[string]any{"event": name + "/go"}},
		"steps": map[string]any{"step": map[string]any{
			"id": "step", "name": "step", "retries": map[string]any{"attempts": 4},
			"runtime": map[string]any{"type": "http", "url": url + "?fnId=" + name + "-f&stepId=step"},
		}},
	}
	body, err := json.Marshal(map[string]any{
		"url": url, "deployType": "ping", "appName": name, "sdk": sdkVersion, "v": "0.1", "framework": "nextjs",
		"functions": []any{function},
	})
	if err != nil {
		return fmt.Errorf("write registration: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+"/fn/register", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Inngest-Sdk", "inngest-"+sdkVersion)
	if err := c.authorize(req); err != nil {
		return err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := refusal(answer); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return nil
}

// refusal reads an answer to its end and says what it was if it was not 200.
func refusal(answer *http.Response) error {
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d, %s", answer.StatusCode, text)
	}
	return err
}

// sent is what the senders saw.
type sent struct {
	latency []time.Duration
	errors  int
	took    time.Duration
}

// send sends the events of all runs, from concurrent senders.
func (c *client) send(ctx context.Context, a *app, name string, opts options) sent {
	begin := time.Now()
	batches := make(chan int, opts.senders)
	go func() {
		defer close(batches)
		for from := 0; from < len(a.records); from += opts.batch {
			if a.profile.rate > 0 {
				time.Sleep(time.Until(begin.Add(time.Duration(float64(from) / a.profile.rate * float64(time.Second)))))
			}
			batches <- from
		}
	}()
	var all sent
	var mu sync.Mutex
	var senders sync.WaitGroup
	padding := strings.Repeat("x", opts.padding)
	for range opts.senders {
		senders.Go(func() {
			for from := range batches {
				took, err := c.sendBatch(ctx, a, name, padding, from, min(from+opts.batch, len(a.records)))
				mu.Lock()
				all.latency = append(all.latency, took)
				if err != nil {
					all.errors++
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	all.took = time.Since(begin)
	return all
}

func (c *client) sendBatch(ctx context.Context, a *app, name, padding string, from, to int) (time.Duration, error) {
	events := make([]any, 0, to-from)
	for i := from; i < to; i++ {
		events = append(events, map[string]any{"name": name + "/go", "data": map[string]any{"i": i, "p": padding}})
	}
	body, err := json.Marshal(events)
	if err != nil {
		return 0, fmt.Errorf("write events: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+"/e/"+c.eventKey, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("send events: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	now := time.Now()
	a.mu.Lock()
	for i := from; i < to; i++ {
		a.records[i].sent = now
	}
	a.mu.Unlock()
	answer, err := c.http.Do(req)
	if err != nil {
		return time.Since(now), fmt.Errorf("send events: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	err = refusal(answer)
	took := time.Since(now)
	if err != nil {
		return took, fmt.Errorf("send events: %w", err)
	}
	return took, nil
}
