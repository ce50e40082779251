package harness

import (
	"fmt"
	"testing"
	"time"
)

// pollEvery is the pause between two looks at a server from outside, which has no way to call us back.
const pollEvery = 25 * time.Millisecond

// Eventually looks until look reports true, and fails the test when limit has passed. The text that look returns says
// what it saw last.
func Eventually(t testing.TB, limit time.Duration, what string, look func() (bool, string)) {
	t.Helper()
	if err := Poll(limit, look); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Poll looks until look reports true; after limit it returns an error with what was seen last.
func Poll(limit time.Duration, look func() (bool, string)) error {
	deadline := time.Now().Add(limit)
	for {
		done, seen := look()
		if done {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s; last seen: %s", limit, seen)
		}
		time.Sleep(pollEvery)
	}
}
