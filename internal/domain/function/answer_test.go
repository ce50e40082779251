package function_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/ingothq/ingot/internal/domain/function"
)

func TestBodies_AreThoseThatSDKsKnow(t *testing.T) {
	t.Parallel()
	id := uuid.Max
	for name, c := range map[string]struct{ got, want string }{
		"accepted": {
			string(function.AcceptedBody(id, uuid.Nil, true)),
			`{"ok":true,"modified":true,"sync_id":"00000000-0000-0000-0000-000000000000","app_id":"ffffffff-ffff-ffff-ffff-ffffffffffff"}`,
		},
		"refused with a code": {
			string(function.Refusal{Status: 400, Code: "c", Text: "t"}.Body()), `{"code":"c","error":"t","data":null,"status":400}` + "\n",
		},
		"failed": {
			string(function.Refusal{Status: 500, Text: function.TextSavingFunction}.Body()), `{"error":"Error saving function","data":null,"status":500}` + "\n",
		},
		"not read": {string(function.ErrorBody("Invalid request: EOF")), `{"error":"Invalid request: EOF"}` + "\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, c.got, c.want)
		}
	}
}

func TestKindMismatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expected, want string
		mismatch       bool
	}{
		"no expectation": {"", "", false},
		"met":            {"dev", "", false},
		"not met":        {"cloud", "Expected server kind dev, got cloud", true},
		"case counts":    {"DEV", "Expected server kind dev, got DEV", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, mismatch := function.KindMismatch("dev", c.expected); got != c.want || mismatch != c.mismatch {
				t.Errorf("got %q, %t", got, mismatch)
			}
		})
	}
}

func TestDeniedSDK(t *testing.T) {
	t.Parallel()
	for sdk, want := range map[string]bool{
		"js:v3.21.9": false, "js:v3.22.0": true, "js:3.30.0": true, "inngest-js:v3.53.1": true, "js:v3.53.2": false,
		"js:v3.54.0": false, "js:v4.18.1": false, "js:v2.7.2": false, "py:v3.30.0": false, "js": false, "js:": false,
		"js:latest": false, "js:v3.30.0-beta.1": true, "js:v3.22.0-beta.1": false, "": false,
	} {
		if got := function.DeniedSDK(sdk); got != want {
			t.Errorf("DeniedSDK(%q) = %t", sdk, got)
		}
	}
}
