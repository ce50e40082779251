package replay

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// play sends what the app and its clients sent to the server, each when the calls before it are made and answered.
func (e *endpointReplay) play(ctx context.Context) {
	var sent []*exchange
	e.rec.all(func(one *exchange) {
		nested := slices.ContainsFunc(e.rec.toApp(), func(call *exchange) bool { return slices.Contains(call.nested, one) })
		if slices.Contains([]string{"client->server", "app->server"}, one.request.Dir) && !nested {
			sent = append(sent, one)
		}
	})
	slices.SortFunc(sent, func(a, b *exchange) int { return a.request.Seq - b.request.Seq })
	last := 0
	for _, one := range sent {
		e.await(ctx, one.request.Seq)
		if one.response.Seq == 0 {
			defer e.unanswered(ctx, one)()
			continue
		}
		e.send(ctx, one)
		last = one.response.Seq
	}
	for _, run := range e.runs {
		for _, call := range run.calls {
			last = max(last, call.response.Seq)
		}
	}
	e.await(ctx, last+1)
	e.missing()
}

// await waits until the calls before a place in the recording are made and answered.
func (e *endpointReplay) await(ctx context.Context, seq int) {
	_ = poll(ctx, 15*time.Second, func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, run := range e.runs {
			for i, call := range run.calls {
				settled := !run.answered[i].IsZero() && time.Since(run.answered[i]) >= taken
				if call.request.Seq < seq && !settled {
					return fmt.Errorf("call %d is not made and answered", call.number)
				}
			}
		}
		return nil
	})
}

// missing notes the calls that were not made.
func (e *endpointReplay) missing() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, run := range e.runs {
		for _, call := range run.calls[run.next:] {
			e.found = append(e.found, mismatch{where: fmt.Sprintf("call %d", call.number), field: "call", want: "made", got: "(not made)"})
		}
	}
}

// send makes a recorded request and compares the answer.
func (e *endpointReplay) send(ctx context.Context, one *exchange) {
	e.mu.Lock()
	target, body := e.personal(one.request.Path), e.personal(one.request.Body)
	want := one.response
	want.Body = e.personal(want.Body)
	e.mu.Unlock()
	cmp := &comparer{where: endpointKind(one), excuse: e.excuse}
	cmp.exchange(ctx, e.srv, e.rw, one.request, target, body, want)
	e.note(cmp.found)
	if isStart(one.request) {
		e.learnEvents(ctx)
	}
}

// endpointKind names a message. A start that the reference refused has a name of its own.
func endpointKind(one *exchange) string {
	kind := one.request.Method
	switch {
	case isStart(one.request) && one.response.Status != http.StatusOK:
		kind = "refused start"
	case isStart(one.request):
		kind = "start"
	case strings.Contains(one.request.Path, "/output"):
		kind = "output"
	}
	return fmt.Sprintf("%s %d", kind, one.number)
}

func (e *endpointReplay) note(found []mismatch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = append(e.found, found...)
}

// learnEvents asks which events the runs have.
func (e *endpointReplay) learnEvents(ctx context.Context) {
	for _, run := range e.runs {
		if read, err := e.srv.run(ctx, run.id); err == nil {
			e.mu.Lock()
			run.event = read.EventID
			e.mu.Unlock()
		}
	}
}

// unanswered makes a request that got no answer before the recording ended. The result ends it, and notes an answer.
func (e *endpointReplay) unanswered(ctx context.Context, one *exchange) func() {
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	target := e.srv.url + e.personal(one.request.Path)
	e.mu.Unlock()
	answered := make(chan string, 1)
	go func() {
		defer close(answered)
		request, err := http.NewRequestWithContext(ctx, one.request.Method, target, http.NoBody)
		if err != nil {
			answered <- err.Error()
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			answered <- response.Status
		}
	}()
	return func() {
		cancel()
		for got := range answered {
			e.note([]mismatch{{where: endpointKind(one), field: "answer", want: "(none)", got: got}})
		}
	}
}
