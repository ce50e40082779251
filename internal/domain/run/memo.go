package run

import (
	"encoding/json"

	"github.com/ingothq/ingot/internal/domain/event"
	"github.com/ingothq/ingot/internal/domain/sdk"
)

// invokeTimeoutMemo is what a step gets whose function did not end in time. Spec 02 §9.4.
var invokeTimeoutMemo = json.RawMessage(`{"error":{"error":"InngestInvokeTimeoutError: Timed out waiting for invoked function to complete",` +
	`"name":"InngestInvokeTimeoutError","message":"Timed out waiting for invoked function to complete"}}`)

// invokeCancelledMemo is what a step gets whose function was cancelled. The reference hands it the whole event, which an
// SDK takes for the function's result. Spec 02 §22 #4.
var invokeCancelledMemo = json.RawMessage(`{"error":{"error":"InngestInvokeCancelledError: Invoked function was cancelled",` +
	`"name":"InngestInvokeCancelledError","message":"Invoked function was cancelled"}}`)

// InputMemos are the inputs that a rerun changes, as they are sent to the app: {"input":[…]} by op ID.
func (s State) InputMemos() map[string]json.RawMessage {
	if len(s.Inputs) == 0 {
		return nil
	}
	memos := make(map[string]json.RawMessage, len(s.Inputs))
	for id, input := range s.Inputs {
		memos[id] = sdk.InputMemo(input)
	}
	return memos
}

// signalMemo is {"data":{"signal":…,"data":…}}.
func signalMemo(signal string, data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	memo := append([]byte(`{"data":`), `{"data":`...)
	memo = append(memo, data...)
	memo = append(memo, `,"signal":`...)
	memo = appendString(memo, signal)
	return append(memo, "}}"...)
}

// invokeMemo is the result or the error of an invoked function, read from the event that tells of its end.
func invokeMemo(e event.Event) json.RawMessage {
	var data struct {
		Error   json.RawMessage  `json:"error"`
		Result  *json.RawMessage `json:"result"`
		Inngest struct {
			Status Status `json:"status"`
		} `json:"_inngest"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return sdk.RunMemo(nil)
	}
	switch {
	case len(data.Error) > 0 && string(data.Error) != "null":
		return append(append([]byte(`{"error":`), data.Error...), '}')
	case data.Inngest.Status == Cancelled:
		return invokeCancelledMemo
	case data.Result == nil:
		return sdk.RunMemo(nil)
	}
	return sdk.RunMemo(*data.Result)
}
