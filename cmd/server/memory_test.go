package main

import "testing"

// TestNewBallast_LeavesItToTheOperator: who has set when to collect garbage gets what they set.
func TestNewBallast_LeavesItToTheOperator(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"GOGC", "GOMEMLIMIT", ""} {
		got := newBallast(func(name string) (string, bool) { return "", name == set })
		if held := len(got) == ballastBytes; held != (set == "") {
			t.Errorf("with %q set there are %d bytes", set, len(got))
		}
	}
}
