package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pageQuery is a page of the list of runs as a dashboard asks for it.
const pageQuery = `query ($after: String) {
	runs(first: 40, after: $after, orderBy: [{field: QUEUED_AT, direction: DESC}], filter: {from: "2020-01-01T00:00:00Z"}) {
		edges { node { id status queuedAt startedAt endedAt isBatch eventName cronSchedule function { name slug } app { externalID } } }
		pageInfo { hasNextPage endCursor }
	}
}`

// readers page through the history of runs as fast as they are answered, each from the newest run to older ones.
type readers struct {
	pages, failures atomic.Int64
	// waited is the time of all answers together, in nanoseconds.
	waited atomic.Int64
	stop   func()
}

// read starts so many readers.
func (c *client) read(ctx context.Context, count int) *readers {
	r := &readers{}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for range count {
		running.Go(func() {
			var after *string
			for ctx.Err() == nil {
				begin := time.Now()
				next, err := c.page(ctx, after)
				switch {
				case ctx.Err() != nil:
				case err != nil:
					r.failures.Add(1)
				default:
					r.pages.Add(1)
					r.waited.Add(int64(time.Since(begin)))
				}
				after = next
			}
		})
	}
	r.stop = func() { cancel(); running.Wait() }
	return r
}

// page asks for one page and returns where the next begins, nil for at the newest.
func (c *client) page(ctx context.Context, after *string) (*string, error) {
	body, err := json.Marshal(map[string]any{"query": pageQuery, "variables": map[string]any{"after": after}})
	if err != nil {
		return nil, fmt.Errorf("encode query: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+"/v0/gql", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if err := c.authorize(request); err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Runs struct {
				Edges    []json.RawMessage
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		Errors []json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("answer of status %d: %w", response.StatusCode, err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if len(answer.Errors) > 0 || len(answer.Data.Runs.Edges) == 0 {
		return nil, fmt.Errorf("answer of status %d with %d runs: %s", response.StatusCode, len(answer.Data.Runs.Edges), answer.Errors)
	}
	if !answer.Data.Runs.PageInfo.HasNextPage {
		return nil, nil //nolint:nilnil // from the beginning
	}
	return &answer.Data.Runs.PageInfo.EndCursor, nil
}
