package flow

import (
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/function"
)

// TestSingleton_Meet is the table of spec 11 §6.
func TestSingleton_Meet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode   function.SingletonMode
		holder ulid.ULID
		want   Encounter
	}{
		{function.SingletonSkip, ulid.ULID{}, Free},
		{function.SingletonSkip, idOf(1), SkipNew},
		{"", idOf(1), SkipNew},
		{function.SingletonCancel, ulid.ULID{}, Free},
		{function.SingletonCancel, idOf(1), CancelOld},
	} {
		settings := compile(t, function.Settings{Singleton: &function.Singleton{Mode: c.mode}})
		if got := settings.Singleton.Meet(c.holder); got != c.want {
			t.Errorf("mode %q, holder %s: %d, want %d", c.mode, c.holder, got, c.want)
		}
	}
}
