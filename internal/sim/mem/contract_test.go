package mem_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingothq/ingot/internal/ports/portstest"
	"github.com/ingothq/ingot/internal/sim/mem"
	"github.com/ingothq/ingot/internal/testkit"
)

// TestContract holds the model to the promises that it is the model of. It has no writes that could be cut; what a crash leaves is
// itself.
func TestContract(t *testing.T) {
	t.Parallel()
	portstest.Test(t, func(t *testing.T, test func(t *testing.T, p portstest.Ports)) {
		synctest.Test(t, func(t *testing.T) {
			b := mem.New(testkit.Clock{})
			metered := &portstest.Metered{}
			b.Meter(metered)
			p := portstest.Ports{
				EventLog: b.EventLog(), Store: b.Store(), Queue: b.Queue(), Catalog: b.Catalog(), History: b.History(), Metadata: b.Metadata(),
				Cancellations: b.Cancellations(), Holds: b.Holds(), Metered: metered,
				Now: time.Now, Settle: synctest.Wait,
				Pass: func(d time.Duration) {
					time.Sleep(d)
					synctest.Wait()
				},
			}
			p.Restart = func() portstest.Ports {
				b.Crash()
				return p
			}
			test(t, p)
		})
	})
}
