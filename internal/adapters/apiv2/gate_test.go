package apiv2_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/apiv2"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/testkit"
)

// TestGate_OnlyReadsWait calls while all turns are taken.
func TestGate_OnlyReadsWait(t *testing.T) {
	t.Parallel()
	gate := yield.New(func() uint64 { return 0 }, system.Clock{})
	testkit.TakeAllTurns(t, gate.Enter)
	f := newFixture(t, apiv2.Config{Timeout: 20 * time.Millisecond}, func(d *apiv2.Deps) { d.Gate = gate })
	if w := f.rest(http.MethodGet, "/api/v2/apps", ""); w.Code != http.StatusGatewayTimeout {
		t.Errorf("read: status %d: %s", w.Code, w.Body)
	}
	if w := f.rest(http.MethodGet, "/api/v2/health", ""); w.Code != http.StatusOK {
		t.Errorf("health: status %d: %s", w.Code, w.Body)
	}
	if w := f.rest(http.MethodPost, "/api/v2/events", `{"name":"a","data":{}}`); w.Code == http.StatusGatewayTimeout {
		t.Errorf("write: status %d: %s", w.Code, w.Body)
	}
}
