package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// readRun is a run as GET /v1/runs/{id} tells it.
type readRun struct {
	EventID string `json:"event_id"`
	BatchID string `json:"batch_id"` // told by the server under test only
	Status  string `json:"status"`
}

// reads makes every read a different one for the answer cache of /v1.
var reads atomic.Int64

// run reads a run, around the cache.
func (s *server) run(ctx context.Context, runID string) (readRun, error) {
	status, body, err := s.get(ctx, fmt.Sprintf("/v1/runs/%s?read=%d", runID, reads.Add(1)))
	if err != nil {
		return readRun{}, err
	}
	var envelope struct {
		Data readRun `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Data.Status == "" {
		return readRun{}, fmt.Errorf("read run %s: status %d, body %s: %w", runID, status, body, err)
	}
	return envelope.Data, nil
}

// ended waits until a run has ended.
func (s *server) ended(ctx context.Context, runID string, limit time.Duration) error {
	return poll(ctx, limit, func() error {
		run, err := s.run(ctx, runID)
		if err != nil {
			return err
		}
		if !slices.Contains([]string{"Completed", "Failed", "Cancelled"}, run.Status) {
			return fmt.Errorf("run %s is %s", runID, run.Status)
		}
		return nil
	})
}

var readPath = regexp.MustCompile(`^/v1/(events|runs)/[0-9A-Z]{26}(/runs|/jobs)?$`)

// compareReads asks the read API what the recording's reader asked after its runs had ended.
func (c *conversation) compareReads(ctx context.Context) []mismatch {
	var found []mismatch
	for i, read := range c.rec.reads {
		if !readPath.MatchString(read.Path) {
			continue
		}
		var last []mismatch
		// History is written behind the run, so an answer may be a moment late.
		_ = poll(ctx, 3*time.Second, func() error {
			last = c.compareRead(ctx, i, read)
			if len(c.unexcused(last)) > 0 {
				return fmt.Errorf("%d differences", len(last))
			}
			return nil
		})
		found = append(found, last...)
	}
	return append(found, c.compareGraphQL(ctx)...)
}

// compareGraphQL asks over GraphQL what the recording's reader asked after its runs had ended.
func (c *conversation) compareGraphQL(ctx context.Context) []mismatch {
	reader := &graphqlReader{addr: c.app.srv.addr, outputs: map[string]string{}, events: map[string]string{}, twice: c.twice, personal: func(recorded string) string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.personal(recorded)
	}}
	var found []mismatch
	for i, asked := range c.rec.asked {
		var last []mismatch
		_ = poll(ctx, 200*time.Millisecond, func() error {
			last = reader.compare(ctx, i, asked)
			if len(c.unexcused(last)) > 0 {
				return fmt.Errorf("%d differences", len(last))
			}
			return nil
		})
		found = append(found, last...)
	}
	return found
}

func (c *conversation) compareRead(ctx context.Context, i int, read readAnswer) []mismatch {
	c.mu.Lock()
	path, want := c.personal(read.Path), c.personal(read.Body)
	for _, b := range c.batches() {
		path, want = b.stored(c.rw, read.Path, path), b.stored(c.rw, read.Path, want)
	}
	c.mu.Unlock()
	cmp := &comparer{where: fmt.Sprintf("read %d %s", i, readKind(read.Path)), excuse: c.excuseRead}
	got, err := ask(ctx, c.app.srv.addr, http.MethodGet, fmt.Sprintf("%s?read=%d", path, reads.Add(1)), nil, nil)
	if err != nil {
		cmp.add("answer", read.Status, rawText(err.Error()))
		return cmp.found
	}
	if got.status != read.Status {
		cmp.add("status", read.Status, got.status)
	}
	cmp.headers(read.Headers, got.header)
	cmp.texts("body", sortList(want, "data", "function_id"), sortList(got.body, "data", "function_id"))
	// Where the reference shows an empty output, only that of the RunComplete op may stand.
	outputs := c.completed()
	for i, found := range cmp.found {
		if strings.HasSuffix(found.field, "output") && found.want == `""` && !slices.Contains(outputs, found.got) {
			cmp.found[i].field += " of no op"
		}
	}
	return cmp.found
}

// completed are the outputs that RunComplete ops of the recording gave.
func (c *conversation) completed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var outputs []string
	for _, function := range c.functions {
		for _, call := range function.calls {
			for _, op := range opsOf(c.personal(whole(call.response))) {
				if value, err := decode(string(op.Data)); err == nil && op.Op == "RunComplete" {
					outputs = append(outputs, render(value))
				}
			}
		}
	}
	return outputs
}

// sortList orders a list in a JSON text by a member of its elements, where order means nothing: runs that one event started
// are created at the same moment.
func sortList(body, list, by string) string {
	value, err := decode(body)
	if err != nil {
		return body
	}
	object, _ := value.(map[string]any)
	elements, ok := object[list].([]any)
	if !ok {
		return body
	}
	key := func(element any) string {
		members, _ := element.(map[string]any)
		return render(members[by])
	}
	slices.SortStableFunc(elements, func(a, b any) int { return strings.Compare(key(a), key(b)) })
	return render(object) + body[len(strings.TrimRight(body, "\n")):]
}

// readKind is a read's path without ids.
func readKind(path string) string {
	return regexp.MustCompile(`/[0-9A-Z]{26}`).ReplaceAllString(path, "/ID")
}

// excuseRead accepts times of the server.
func (c *conversation) excuseRead(field string, parent map[string]any, want, got any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fitsInvocation(c.functions, field, parent, want, got) {
		return true
	}
	switch field[strings.LastIndexByte(field, '.')+1:] {
	case "received_at", "fetched_at", "cached_until", "run_started_at", "ended_at":
		return isTime(want) && isTime(got)
	case "ts":
		name, _ := parent["name"].(string)
		return isRecent(got) && (c.noTS[name] || strings.HasPrefix(name, "inngest/"))
	}
	return false
}
