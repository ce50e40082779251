package replay

import (
	"encoding/json"
	"strings"
)

// checkpointJob is the queue item of the call that a checkpoint belongs to, empty for a request that is none.
func checkpointJob(msg message) string {
	if !strings.HasPrefix(msg.Path, "/v1/checkpoint/") && !strings.HasPrefix(msg.Path, "/v1/http/runs/") {
		return ""
	}
	var item string
	_ = json.Unmarshal(completeMembers(msg.Body)["qi_id"], &item)
	return item
}

// checkpointOps are the ids of the steps that a checkpoint saves, nil for a request that is none.
func checkpointOps(msg message) []string {
	if checkpointJob(msg) == "" {
		return nil
	}
	return answerOps(string(completeMembers(whole(msg))["steps"]))
}

// ofCall gives a text that the app sent while it worked on a call the ids of the server's call. The recording must be
// locked.
func (f *functionRun) ofCall(call *recordedCall, text string) string {
	return strings.NewReplacer(
		call.ctx.QueueItem, call.made.QueueItem,
		call.ctx.RequestID, call.made.RequestID,
	).Replace(text)
}
