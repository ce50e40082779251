package embedded

import (
	"context"
	"testing"
)

// mustOpen opens an engine that is closed with the test.
func mustOpen(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	e, err := Open(context.WithoutCancel(tb.Context()), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return e
}
