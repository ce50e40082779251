package sdk

import "encoding/json"

// SleepMemo is what a finished sleep, or a wait that timed out, is remembered as.
var SleepMemo = json.RawMessage("null")

// RunMemo is what a step's output is remembered as: {"data":…}, null when there was none. The memo has its own memory.
// Source: spec 01 §11.2.
func RunMemo(data json.RawMessage) json.RawMessage {
	return wrap("data", data)
}

// Result is what a memo of RunMemo or ErrorMemo was made of, and whether that is an error. Memos of other shapes, such as
// the event that a step waited for, are their own result.
func Result(memo json.RawMessage) (value json.RawMessage, failed bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(memo, &members) != nil || len(members) != 1 {
		return memo, false
	}
	for name, value := range members {
		if name == "data" || name == "error" {
			return value, name == "error"
		}
	}
	return memo, false
}

// InputMemo makes the app run a step anew with these arguments, a JSON array: {"input":[…]}.
func InputMemo(input json.RawMessage) json.RawMessage {
	return wrap("input", input)
}

func wrap(name string, value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		value = SleepMemo
	}
	memo := make(json.RawMessage, 0, len(`{"":}`)+len(name)+len(value))
	memo = append(memo, `{"`...)
	memo = append(memo, name...)
	memo = append(memo, `":`...)
	memo = append(memo, value...)
	return append(memo, '}')
}

// ErrorMemo is what a step's final error is remembered as: {"error":{…}} with cause, data, message, name, noRetry (only
// when true) and stack, sorted, without those that the error lacks. Source: spec 01 §11.2.
func ErrorMemo(failed OpError) json.RawMessage {
	memo := append(json.RawMessage(nil), `{"error":{`...)
	if len(failed.Cause) > 0 {
		memo = append(memo, `"cause":`...)
		memo = append(memo, failed.Cause...)
		memo = append(memo, ',')
	}
	if len(failed.Data) > 0 {
		memo = append(memo, `"data":`...)
		memo = append(memo, failed.Data...)
		memo = append(memo, ',')
	}
	memo = append(memo, `"message":`...)
	memo = appendString(memo, failed.Message)
	memo = append(memo, `,"name":`...)
	memo = appendString(memo, failed.Name)
	if failed.NoRetry {
		memo = append(memo, `,"noRetry":true`...)
	}
	if failed.Stack != "" {
		memo = append(memo, `,"stack":`...)
		memo = appendString(memo, failed.Stack)
	}
	return append(memo, "}}"...)
}
