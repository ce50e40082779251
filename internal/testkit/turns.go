package testkit

import (
	"context"
	"runtime"
)

// TakeAllTurns takes every turn that a gate has, which are as many as there are processors, and keeps them.
func TakeAllTurns[Leave any](tb TB, enter func(context.Context) (Leave, error)) {
	tb.Helper()
	for range runtime.GOMAXPROCS(0) {
		if _, err := enter(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
}
