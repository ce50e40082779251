package realtime

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

func TestUpdate_Encode(t *testing.T) {
	t.Parallel()
	long := json.RawMessage(`"` + strings.Repeat("x", MaxBody) + `"`)
	step := func(memo json.RawMessage) Update { return StepEnded(run.Step{ID: "id", Name: "a <b>", Memo: memo}) }
	for want, update := range map[string]Update{
		`{"status":"Running"}`:                                                                 RunStarted(),
		`{"status":"Completed","output":{"a":1.50}}`:                                           RunEnded(run.Finish{Status: run.Completed, Output: json.RawMessage(`{"a": 1.50}`)}),
		`{"status":"Completed","output":null}`:                                                 RunEnded(run.Finish{Status: run.Completed}),
		`{"status":"Failed","output":"plain text"}`:                                            RunEnded(run.Finish{Status: run.Failed, Output: json.RawMessage("plain text")}),
		`{"status":"Cancelled"}`:                                                               RunEnded(run.Finish{Status: run.Cancelled}),
		`{"status":"Completed","output_too_large":true}`:                                       RunEnded(run.Finish{Status: run.Completed, Output: long}),
		`{"id":"id","name":"a <b>","status":"Completed","output":[1]}`:                         step(sdk.RunMemo([]byte(`[1]`))),
		`{"id":"id","name":"a <b>","status":"Completed","output":null}`:                        step(sdk.SleepMemo),
		`{"id":"id","name":"a <b>","status":"Failed","output":{"message":"m","name":"Error"}}`: step(sdk.ErrorMemo(sdk.OpError{Name: "Error", Message: "m"})),
		`{"id":"id","name":"a <b>","status":"Completed","output_too_large":true}`:              step(sdk.RunMemo(long)),
		`{"id":"id","status":"Completed","output":1}`:                                          StepEnded(run.Step{ID: "id", Memo: json.RawMessage(`1`)}),
	} {
		if got := string(update.Encode()); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
