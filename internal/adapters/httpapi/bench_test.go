package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/ids"
)

// accepting takes everything, so that only the handler's own work is measured.
type accepting struct{}

func (accepting) Accept(_ context.Context, events []event.Event, _ *ids.Seed, _ int) ([]ulid.ULID, error) {
	return make([]ulid.ULID, len(events)), nil
}

// BenchmarkEvents is one event of 100 bytes through the handler.
func BenchmarkEvents(b *testing.B) {
	f := newFixture(b, startConfig, func(d *httpapi.Deps) { d.Ingest = accepting{} })
	const body = `{"name":"bench/event","data":{"user":"0123456789abcdef","amount":12345,"tag":"benchmarks"},"ts":1772366400123}`
	reader := strings.NewReader(body)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/e/"+eventKey, reader)
	r.Header.Set("Content-Type", "application/json")
	w := &discarding{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		f.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}

type discarding struct {
	header http.Header
	status int
}

func (w *discarding) Header() http.Header            { return w.header }
func (w *discarding) WriteHeader(status int)         { w.status = status }
func (w *discarding) Write(body []byte) (int, error) { return len(body), nil }
