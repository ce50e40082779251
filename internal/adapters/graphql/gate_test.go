package graphql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/adapters/graphql"
	"github.com/ingothq/ingot/internal/adapters/system"
	"github.com/ingothq/ingot/internal/app/yield"
	"github.com/ingothq/ingot/internal/testkit"
)

// TestGate_OnlyQueriesWait asks while all turns are taken.
func TestGate_OnlyQueriesWait(t *testing.T) {
	t.Parallel()
	gate := yield.New(func() uint64 { return 0 }, system.Clock{})
	testkit.TakeAllTurns(t, gate.Enter)
	f := newFixture(t, graphql.Config{Timeout: 20 * time.Millisecond}, func(d *graphql.Deps) { d.Gate = gate })
	if got := f.ask(`{apps{id}}`, nil); !strings.Contains(got, "the query takes longer than 20ms") {
		t.Errorf("query: %s", got)
	}
	if got := f.ask(`mutation{createApp(input:{url:"http://127.0.0.1:1/api"}){url}}`, nil); strings.Contains(got, "takes longer") {
		t.Errorf("mutation: %s", got)
	}
}
