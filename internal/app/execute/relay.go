package execute

import (
	"context"
	"log/slog"

	"github.com/ingothq/ingot/internal/app/realtime"
	"github.com/ingothq/ingot/internal/domain/gateway"
	"github.com/ingothq/ingot/internal/domain/ids"
	"github.com/ingothq/ingot/internal/domain/run"
)

// Streams begins datastreams. *realtime.Publisher is one.
type Streams interface {
	Stream(ctx context.Context, to realtime.Publication) (*realtime.Stream, error)
}

// relayed makes a request and, if the step wants that, passes the body of the response on to subscribers while it comes in.
// Spec 02 §14.
func (x *Executor) relayed(ctx context.Context, s run.State, request gateway.Request) (response gateway.Response, err error) {
	if request.Publish == nil || x.streams == nil {
		return x.gateways.Do(ctx, request, nil)
	}
	r := &relay{streams: x.streams, log: x.log, to: realtime.Publication{
		EnvID: ids.EnvID(), Channel: request.Publish.Channel, Topics: []string{request.Publish.Topic},
		FnID: s.FunctionID, FnSlug: s.Slug, RunID: s.ID,
	}}
	told := context.WithoutCancel(ctx) // the end is told also when the server stops
	defer func() { r.end(told, response.Status != 0) }()
	return x.gateways.Do(ctx, request, func(piece []byte) { r.write(told, piece) })
}

// relay makes of each response a datastream of its own, of the answer to a failed attempt too. Subscribers that cannot be
// reached are no concern of the step; those who were told of the beginning are told of the end.
type relay struct {
	streams Streams
	to      realtime.Publication
	log     *slog.Logger
	// stream is nil until the response begins, and when it could not begin.
	stream *realtime.Stream
	failed bool
}

func (r *relay) begin(ctx context.Context) {
	if r.stream == nil && !r.failed {
		var err error
		r.stream, err = r.streams.Stream(ctx, r.to)
		r.note(ctx, err)
	}
}

func (r *relay) write(ctx context.Context, piece []byte) {
	if r.begin(ctx); !r.failed {
		r.note(ctx, r.stream.Write(ctx, piece))
	}
}

// end ends what was begun. A response without a body is a stream without pieces.
func (r *relay) end(ctx context.Context, answered bool) {
	if answered {
		r.begin(ctx)
	}
	if r.stream != nil {
		r.note(ctx, r.stream.End(ctx))
	}
}

func (r *relay) note(ctx context.Context, err error) {
	if err != nil {
		r.failed = true
		r.log.WarnContext(ctx, "response not published", "run_id", r.to.RunID.String(), "channel", r.to.Channel, "error", err)
	}
}
