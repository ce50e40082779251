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
		failed := func(what string, err error) {
			log.ErrorContext(r.Context(), "show metrics", "error", err)
			http.Error(w, what, http.StatusInternalServerError)
		}
		all, err := queue.Depth(r.Context())
		if err != nil {
			failed("Failed to get queue depth", err)
			return
		}
		now := prometheus.NewRegistry()
		now.MustRegister(depth{m, all})
		families, err := prometheus.Gatherers{m.registry, now}.Gather()
		if err != nil {
			failed("Failed to gather metrics", err)
			return
		}
		var text bytes.Buffer
		encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
		for _, family := range families {
			if err := encoder.Encode(family); err != nil {
				failed("Failed to encode metrics", err)
				return
			}
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(text.Bytes()) // who has asked may have gone
	})
}
