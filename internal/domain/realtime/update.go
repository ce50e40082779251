package realtime

import (
	"encoding/json"
	"strings"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// Update is the data of a message about a run or a step. The TypeScript client reads the status and output of runs; no
// client reads those of steps, which have the same members and two more:
//
//	{"status":"Running"}
//	{"status":"Completed","output":…}
//	{"id":"<op ID>","name":"charge","status":"Failed","output":{"message":…,"name":…}}
type Update struct {
	// ID and Name are those of a step; empty for a run and left out then.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Status is in the words of the REST API.
	Status run.Status `json:"status"`
	// Output is the result or the error, as JSON; nil for none and left out then.
	Output json.RawMessage `json:"output,omitempty"`
	// TooLarge says that the output is left out because it is longer than MaxBody: it has to be fetched.
	TooLarge bool `json:"output_too_large,omitempty"`
}

// RunStarted is the update when a run is about to be called for the first time.
func RunStarted() Update { return Update{Status: run.Running} }

// RunEnded is the update when a run has ended. What completes without a result has the result null.
func RunEnded(end run.Finish) Update {
	output := end.Output
	if len(output) == 0 && end.Status == run.Completed {
		output = sdk.SleepMemo
	}
	return Update{Status: end.Status}.with(output)
}

// StepEnded is the update when a step has got its memo.
func StepEnded(step run.Step) Update {
	u := Update{ID: step.ID, Name: step.Name, Status: run.Completed}
	output, failed := sdk.Result(step.Memo)
	if failed {
		u.Status = run.Failed
	}
	return u.with(output)
}

func (u Update) with(output json.RawMessage) Update {
	switch {
	case len(output) > MaxBody:
		u.TooLarge = true
	case len(output) > 0:
		u.Output = Data(output)
	}
	return u
}

// Encode returns the update as JSON.
func (u Update) Encode() json.RawMessage {
	text, _ := encode(u) // its output was made JSON
	return text
}

// ownTopic says whether a name can be a topic beside those of the server, all of which begin with a dollar sign.
func ownTopic(name string) bool { return name != "" && !strings.HasPrefix(name, "$") }
