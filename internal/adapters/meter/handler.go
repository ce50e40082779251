package meter

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/ingothq/ingot/internal/ports"
)

// Queue tells how many jobs there are; see ports.Queue.
type Queue interface {
	Depth(ctx context.Context) ([]ports.Depth, error)
}

// contentType is the text format of Prometheus, to the letter of the reference.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Handler serves the metrics, and the depth of the queue as it is when they are asked for. A failure is a 500 that says which part failed
// and leaves the rest to the log. Spec 17 §1.
func (m *Meter) Handler(queue Queue, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, failed, err := m.text(r.Context(), queue)
		if err != nil {
			log.ErrorContext(r.Context(), "show metrics", "error", err)
			http.Error(w, failed, http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(text) // who has asked may have gone
	})
}

// text is all metrics in the text format; with an error, what is said of it.
func (m *Meter) text(ctx context.Context, queue Queue) (text []byte, failed string, err error) {
	all, err := queue.Depth(ctx)
	if err != nil {
		return nil, "Failed to get queue depth", err
	}
	now := prometheus.NewRegistry()
	now.MustRegister(depth{m, all})
	families, err := prometheus.Gatherers{m.registry, now}.Gather()
	if err != nil {
		return nil, "Failed to gather metrics", err
	}
	var written bytes.Buffer
	encoder := expfmt.NewEncoder(&written, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, "Failed to encode metrics", err
		}
	}
	return written.Bytes(), "", nil
}
