package crash

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestApp_SeesBrokenPromises shows that the checks of the crash test find what they are for.
func TestApp_SeesBrokenPromises(t *testing.T) {
	t.Parallel()
	memos := func(text string) map[string]json.RawMessage {
		var steps map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &steps); err != nil {
			t.Fatal(err)
		}
		return steps
	}
	none := memos(`{}`)
	first := memos(`{"` + stepID(0) + `":{"data":{"execution":1}}}`)
	second := memos(`{"` + stepID(0) + `":{"data":{"execution":2}}}`)
	cases := map[string]struct {
		kind   string
		calls  []map[string]json.RawMessage // memoised steps that each call shows
		target string                       // of the last call
		want   string                       // part of the only violation; empty for none
	}{
		"a run that goes on":                {kind: kindSteps, calls: []map[string]json.RawMessage{none, first}},
		"a call made again before its memo": {kind: kindSteps, calls: []map[string]json.RawMessage{none, none, second}},
		"a result that nobody gave":         {kind: kindSteps, calls: []map[string]json.RawMessage{first}, want: "never answered"},
		"a result that changes":             {kind: kindSteps, calls: []map[string]json.RawMessage{none, none, first, second}, want: "changed"},
		"a step that is forgotten":          {kind: kindSteps, calls: []map[string]json.RawMessage{none, first, none}, want: "forgotten"},
		"a planned step":                    {kind: kindParallel, calls: []map[string]json.RawMessage{none, none}, target: stepID(0)},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theApp := newCrashApp()
			for i, steps := range test.calls {
				target := noTarget
				if test.target != "" && i == len(test.calls)-1 {
					target = test.target
				}
				var call callRequest
				call.Event.Data = payload{Key: "k", Kind: test.kind}
				call.Ctx.RunID, call.Steps = "r", steps
				theApp.decide(call, target)
			}
			got := strings.Join(theApp.violations, "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("violations are %q, want %q", got, test.want)
			}
		})
	}
}

func TestApp_CountsExecutionsOfMemoisedSteps(t *testing.T) {
	t.Parallel()
	theApp := newCrashApp()
	call := callRequest{}
	call.Event.Data = payload{Key: "k", Kind: kindParallel}
	call.Ctx.RunID = "r"
	theApp.decide(call, stepID(0))
	call.Steps = map[string]json.RawMessage{stepID(0): json.RawMessage(`{"data":{"execution":1}}`)}
	theApp.decide(call, noTarget)
	theApp.decide(call, stepID(0))
	if theApp.repeated != 1 {
		t.Errorf("counted %d executions of memoised steps, want 1", theApp.repeated)
	}
}

func TestSeededIDs_AreThoseOfTheVectors(t *testing.T) {
	t.Parallel()
	entropy, err := base64.StdEncoding.DecodeString("eii2YKXRVTJPuA==")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(seededIDs(1743130137367, entropy, 2), " ")
	if want := "01JQDAE4RQF8MBCR55T5AK4KXS 01JQDAE4RQF8MBCR55T5AK4KXT"; got != want {
		t.Errorf("ids are %s, want %s", got, want)
	}
}

// TestApp_CountsACallUntilItIsAnsweredOrCut: a call whose server is killed does not count on while the app works on it.
func TestApp_CountsACallUntilItIsAnsweredOrCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		theApp := newCrashApp()
		call := callRequest{}
		call.Event.Data = payload{Key: "k", Kind: featureSteps, Group: "g"}
		call.Ctx.RunID, call.Events = "r", []callEvent{call.Event}
		ctx, kill := context.WithCancel(t.Context())
		begin := time.Now()
		answered := theApp.enter(ctx, call, begin)
		time.Sleep(time.Second)
		answered()
		leave := theApp.enter(ctx, call, begin)
		time.Sleep(time.Second)
		kill()
		synctest.Wait()
		time.Sleep(time.Second)
		leave()
		runs, calls := theApp.seen(featureSteps, time.Now())
		if len(runs) != 1 || len(calls) != 2 {
			t.Fatalf("saw %d runs and %d calls", len(runs), len(calls))
		}
		if first := calls[0]; first.cut || first.left.Sub(begin) != time.Second {
			t.Errorf("the first call left after %s, cut: %t", first.left.Sub(begin), first.cut)
		}
		if second := calls[1]; !second.cut || second.left.Sub(begin) != 2*time.Second {
			t.Errorf("the second call left after %s, cut: %t", second.left.Sub(begin), second.cut)
		}
	})
}
