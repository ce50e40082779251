package execute

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/adapters/broadcast"
	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/domain/ids"
	domain "github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// streaming is another side whose answers come in pieces.
type streaming struct {
	other

	pieces []string
	// sent is called after each piece.
	sent func(piece string)
}

func (s *streaming) Do(ctx context.Context, request gateway.Request, relay func([]byte)) (gateway.Response, error) {
	for _, piece := range s.pieces {
		if relay != nil {
			shared := []byte(piece)
			relay(shared)
			clear(shared) // valid during the call only
		}
		s.sent(piece)
	}
	return s.other.Do(ctx, request, nil)
}

// published is a world whose app wants a response published, with somebody who listens. got is what came since.
func published(t *testing.T, side *streaming) (w *world, lease ports.Lease, got func() []string, backend *broadcast.Broadcast) {
	t.Helper()
	if side.sent == nil {
		side.sent = func(string) {}
	}
	w = setup(t)
	backend = broadcast.New(broadcast.Config{})
	t.Cleanup(backend.Close)
	w.deps.Gateway, w.deps.Streams = side, realtime.New(backend, testkit.Clock{}, testkit.IDs{})
	w.app.answers = []answer{says(206, `[{"op":"Gateway","id":"f","name":"fetch","opts":{"url":"http://other.test/x","publish":{"channel":"c","topic":"t"}}}]`), says(200, `"done"`)}
	w.start()
	w.executor().Do(t.Context(), w.lease())
	listener, err := backend.Subscribe(t.Context(), []domain.Topic{domain.ChannelTopic(ids.EnvID(), "c", "t")})
	if err != nil {
		t.Fatal(err)
	}
	got = func() []string {
		var frames []string
		ended, cancel := context.WithCancel(t.Context())
		cancel() // takes what is there
		for {
			frame, err := listener.Next(ended)
			if err != nil {
				return frames
			}
			var m struct {
				Kind, Data, Channel, Topic string
				FnSlug                     string `json:"fn_slug"`
				RunID                      string `json:"run_id"`
			}
			if err := json.Unmarshal(frame.Body, &m); err != nil {
				t.Fatal(err)
			}
			if m.Channel != "c" || m.Topic != "t" || m.FnSlug != "app-fn" || len(m.RunID) != 26 {
				t.Errorf("frame %s", frame.Body)
			}
			if m.Kind == "chunk" {
				m.Kind += " " + m.Data
			}
			frames = append(frames, m.Kind)
		}
	}
	return w, w.lease(), got, backend
}

func (w *world) body(lease ports.Lease) string {
	var memo struct{ Data struct{ Body string } }
	if err := json.Unmarshal([]byte(w.memo(lease)), &memo); err != nil {
		w.t.Errorf("memo %q: %v", w.memo(lease), err)
	}
	return memo.Data.Body
}

func TestRelay_PiecesComeWhileTheResponseComesIn(t *testing.T) {
	t.Parallel()
	var got func() []string
	var log []string
	side := &streaming{other: other{answers: []gateway.Response{{Status: 200, Body: []byte("one two")}}}, pieces: []string{"one ", "two"}}
	side.sent = func(piece string) { log = append(log, slices.Concat(got(), []string{"sent " + piece})...) }
	w, lease, got, _ := published(t, side)
	w.executor().Do(t.Context(), lease)
	log = append(log, got()...)
	if diff := cmp.Diff([]string{"datastream-start", "chunk one ", "sent one ", "chunk two", "sent two", "datastream-end"}, log); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if body := w.body(lease); body != "one two" {
		t.Errorf("body %q", body)
	}
}

func TestRelay_EveryResponseIsAStream(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		side streaming
		want []string
	}{
		"without a body": {streaming{other: other{answers: []gateway.Response{{Status: 204}}}}, []string{"datastream-start", "datastream-end"}},
		"no response":    {streaming{other: other{answers: []gateway.Response{{TransportError: "connection refused"}}}}, nil},
		"half of one": {
			streaming{other: other{answers: []gateway.Response{{Status: 200, TransportError: "cut"}}}, pieces: []string{"half"}},
			[]string{"datastream-start", "chunk half", "datastream-end"},
		},
		"the server stops": {
			streaming{other: other{err: context.Canceled}, pieces: []string{"half \xe2"}},
			[]string{"datastream-start", "chunk half ", "chunk \ufffd", "datastream-end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, lease, got, _ := published(t, &test.side)
			ctx, cancel := context.WithCancel(t.Context())
			test.side.sent = func(string) {
				if test.side.err != nil {
					cancel()
				}
			}
			w.executor().Do(ctx, lease)
			cancel()
			if diff := cmp.Diff(test.want, got()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// noStreams cannot publish.
type noStreams struct{ asked int }

func (n *noStreams) Stream(context.Context, realtime.Publication) (*realtime.Stream, error) {
	n.asked++
	return nil, errors.New("out of order")
}

func TestRelay_FailureIsNoConcernOfTheStep(t *testing.T) {
	t.Parallel()
	full := func() *streaming {
		return &streaming{other: other{answers: []gateway.Response{{Status: 200, Body: []byte("abc")}}}, pieces: []string{"a", "b", "c"}}
	}
	t.Run("at the beginning", func(t *testing.T) {
		t.Parallel()
		w, lease, _, _ := published(t, full())
		broken := &noStreams{}
		w.deps.Streams = broken
		w.executor().Do(t.Context(), lease)
		if body := w.body(lease); body != "abc" || broken.asked != 1 || !strings.Contains(w.logged.String(), "out of order") {
			t.Errorf("body %q, asked %d times, logged %s", body, broken.asked, w.logged)
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		t.Parallel()
		side := full()
		w, lease, _, backend := published(t, side)
		side.sent = func(piece string) {
			if piece == "a" {
				backend.Close()
			}
		}
		w.executor().Do(t.Context(), lease)
		// The second piece, and the end.
		if body := w.body(lease); body != "abc" || strings.Count(w.logged.String(), "response not published") != 2 {
			t.Errorf("body %q, logged %s", body, w.logged)
		}
	})
	t.Run("nobody to publish", func(t *testing.T) {
		t.Parallel()
		w, lease, got, _ := published(t, full())
		w.deps.Streams = nil
		w.executor().Do(t.Context(), lease)
		if body := w.body(lease); body != "abc" || got() != nil {
			t.Errorf("body %q", body)
		}
	})
}
