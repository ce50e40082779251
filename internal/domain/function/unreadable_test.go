package function_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members string
		want    []string
	}{
		"nothing":  {`{}`, nil},
		"absent":   {`{"timeouts":{},"cancel":[{"event":"a"}]}`, nil},
		"in order": {`{"timeouts":{"start":"1d12h","finish":"90s"},"cancel":[{"event":"a","timeout":"2w"},{"event":"a","timeout":"2026-11-24T12:00:00Z"}]}`, nil},
		"all wrong": {`{"timeouts":{"start":"soon","finish":"5"},"cancel":[{"event":"a"},{"event":"b","timeout":"2026-11-24"}]}`, []string{
			`timeouts.start "soon" is no duration`, `timeouts.finish "5" is no duration`,
			`cancel[1].timeout "2026-11-24" is neither a duration nor an RFC 3339 time`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := declare(t, c.members).Convert(acceptAll)
			if diff := cmp.Diff(c.want, function.Unreadable(f)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
