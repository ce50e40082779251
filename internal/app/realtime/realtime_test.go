package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/realtime"
	"github.com/ingothq/ingot/internal/ports"
	"github.com/ingothq/ingot/internal/testkit"
)

// world is a publisher and what it has published, a line a frame: topic, a space, the frame.
type world struct {
	*Publisher
	testkit.Clock

	sent []string
	// left is how many more frames go through; negative is all.
	left int
	// deaf has nobody subscribed.
	deaf bool
}

func newWorld() *world {
	w := &world{left: -1}
	w.Publisher = New(w, w, w)
	return w
}

func (*world) Now() time.Time {
	return time.Date(2026, 8, 14, 14, 0, 0, 123_999_999, time.FixedZone("", 2*60*60))
}

func (*world) ULID(time.Time) ulid.ULID { return ulid.ULID{15: 1} }

func (w *world) Publish(ctx context.Context, topic realtime.Topic, frame realtime.Frame) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.left == 0 {
		return ports.ErrClosed
	}
	w.left--
	prefix := map[realtime.FrameKind]string{realtime.FrameMessage: "", realtime.FrameChunk: "CHUNK:", realtime.FrameRaw: "RAW:"}[frame.Kind]
	w.sent = append(w.sent, topic.Channel+"/"+topic.Name+" "+prefix+string(frame.Body))
	return nil
}

func (w *world) Heard(env uuid.UUID, _ string) bool { return !w.deaf && env == ids.EnvID() }

func (*world) Subscribe(context.Context, []realtime.Topic) (ports.Subscription, error) {
	return nil, ports.ErrClosed
}

func (w *world) has(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.sent); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	w.sent = nil
}

const tail = `"created_at":"2026-08-14T12:00:00.123Z","channel":"c","env_id":"00000000-0000-4000-b000-000000000000",`

func TestPublish_SendsToEveryTopicOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	to := Publication{EnvID: ids.EnvID(), Channel: "c", Topics: []string{"a", "b", "a"}, Metadata: json.RawMessage(`{"m":1}`)}
	for _, body := range []string{`[1]`, `x`} {
		if err := w.Publisher.Publish(t.Context(), to, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	w.has(t,
		`c/a {"kind":"data","data":[1],"metadata":{"m":1},`+tail+`"topic":"a"}`, `c/b {"kind":"data","data":[1],"metadata":{"m":1},`+tail+`"topic":"b"}`,
		`c/a {"kind":"data","data":"x","metadata":{"m":1},`+tail+`"topic":"a"}`, `c/b {"kind":"data","data":"x","metadata":{"m":1},`+tail+`"topic":"b"}`,
	)
	if err := w.Publisher.Publish(t.Context(), Publication{EnvID: ids.EnvID(), Channel: "c"}, nil); err != nil {
		t.Fatal(err)
	}
	w.has(t, `c/ {"kind":"data","data":"",`+tail+`"topic":""}`)
	if err := w.Publisher.Publish(t.Context(), Publication{Metadata: json.RawMessage("{")}, nil); err == nil {
		t.Error("broken metadata is published")
	}
}

func TestStream_FramesItsChunks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	to := Publication{EnvID: ids.EnvID(), Channel: "c", Topics: []string{"a", "b"}, FnSlug: "app-fn"}
	stream, err := w.Stream(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	id := realtime.StreamID(ulid.ULID{15: 1})
	framed := func(kind string) []string {
		return []string{
			`c/a {"kind":"` + kind + `","data":"` + id + `",` + tail + `"topic":"a","fn_slug":"app-fn"}`,
			`c/b {"kind":"` + kind + `","data":"` + id + `",` + tail + `"topic":"b","fn_slug":"app-fn"}`,
		}
	}
	chunk := func(data string) []string {
		return []string{
			`c/a CHUNK:{"kind":"chunk","stream_id":"` + id + `","data":"` + data + `","fn_slug":"app-fn","channel":"c","topic":"a"}`,
			`c/b CHUNK:{"kind":"chunk","stream_id":"` + id + `","data":"` + data + `","fn_slug":"app-fn","channel":"c","topic":"b"}`,
		}
	}
	w.has(t, framed("datastream-start")...)
	for piece, want := range map[string][]string{"": nil, "x": chunk("x")} {
		if err := stream.Write(t.Context(), []byte(piece)); err != nil {
			t.Fatal(err)
		}
		w.has(t, want...)
	}
	shared := []byte("<\xc3")
	if err := stream.Write(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	w.has(t, chunk("<")...)
	shared[0], shared[1] = '?', '?' // the caller reads the next piece into the same memory
	if err := stream.Write(t.Context(), []byte("\xa9\xc3")); err != nil {
		t.Fatal(err)
	}
	w.has(t, chunk("é")...)
	if err := stream.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.has(t, append(chunk(`\ufffd`), framed("datastream-end")...)...)
}

func TestTee_PassesBytesOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	tee := w.Tee(ids.EnvID(), "c")
	for _, piece := range []string{"a\n", "", "\xff\xe2\x82", "\xac\xe2"} {
		if err := tee.Write(t.Context(), []byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tee.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.has(t, "c/$stream RAW:a\n", "c/$stream RAW:\xff", "c/$stream RAW:€", "c/$stream RAW:\xe2")
}

// TestPublisher_SaysWhenItCannotPublish, wherever it happens.
func TestPublisher_SaysWhenItCannotPublish(t *testing.T) {
	t.Parallel()
	all := func(w *world) error {
		if err := w.Publisher.Publish(t.Context(), Publication{}, nil); err != nil {
			return err
		}
		stream, err := w.Stream(t.Context(), Publication{})
		if err != nil {
			return err
		}
		if err := stream.Write(t.Context(), []byte("x\xc3")); err != nil {
			return err
		}
		if err := stream.End(t.Context()); err != nil {
			return err
		}
		tee := w.Tee(ids.EnvID(), "c")
		if err := tee.Write(t.Context(), []byte("x\xc3")); err != nil {
			return err
		}
		return tee.End(t.Context())
	}
	whole := newWorld()
	if err := all(whole); err != nil {
		t.Fatal(err)
	}
	for left := range len(whole.sent) {
		w := newWorld()
		w.left = left
		if err := all(w); !errors.Is(err, ports.ErrClosed) || len(w.sent) != left {
			t.Errorf("after %d frames: %v, %d sent", left, err, len(w.sent))
		}
	}
}
