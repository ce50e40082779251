package flow

import "testing"

func TestSkipReason_Sentence(t *testing.T) {
	t.Parallel()
	for reason, want := range map[SkipReason]string{
		SkippedByPause:     "invoked function was not started: the function is paused",
		SkippedBySingleton: "invoked function was not started: another run of it is in progress",
		"Other":            "invoked function was not started: Other",
	} {
		if got := reason.Sentence(); got != want {
			t.Errorf("%s: %s", reason, got)
		}
	}
}
