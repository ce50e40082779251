package httpapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/ingothq/ingot/internal/adapters/httpapi"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/testkit"
)

// TestGate_OnlyReadsWait asks while all turns are taken, for a client that has gone away.
func TestGate_OnlyReadsWait(t *testing.T) {
	t.Parallel()
	gate := yield.New(func() uint64 { return 0 }, system.Clock{})
	testkit.TakeAllTurns(t, gate.Enter)
	f := newFixture(t, httpapi.Config{}, func(d *httpapi.Deps) { d.Gate = gate })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w := f.sendContext(gone, http.MethodGet, "/v1/events", ""); w.Code != http.StatusInternalServerError {
		t.Errorf("read: status %d: %s", w.Code, w.Body)
	}
	for path, method := range map[string]string{"/health": http.MethodGet, "/e/key": http.MethodPost} {
		if w := f.send(method, path, `{"name":"a","data":{}}`); w.Code != http.StatusOK {
			t.Errorf("%s %s: status %d: %s", method, path, w.Code, w.Body)
		}
	}
}
