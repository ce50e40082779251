package cancellation

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ingothq/ingot/internal/domain/expr"
)

// Tolerance is how far in the future the bound of a request may be, for clocks that differ.
const Tolerance = 5 * time.Second

// Request is what a client asks for.
type Request struct {
	AppID      string
	Function   string
	After      time.Time // zero for none
	Before     time.Time
	Expression string // empty for none
}

// InvalidError says what is wrong with a request; its text is the API's answer.
type InvalidError struct{ Text string }

func (e *InvalidError) Error() string { return e.Text }

// ParseRequest reads the body {"app_id","function_id","started_after"?,"started_before","if"?} and checks it. It returns an
// *InvalidError that names everything that is wrong, a line each.
func ParseRequest(body []byte, now time.Time) (Request, error) {
	var raw struct {
		AppID         string     `json:"app_id"`
		FunctionID    string     `json:"function_id"`
		StartedAfter  *time.Time `json:"started_after"`
		StartedBefore time.Time  `json:"started_before"`
		If            string     `json:"if"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return Request{}, &InvalidError{"Invalid cancellation request"}
	}
	r := Request{AppID: raw.AppID, Function: raw.FunctionID, Before: raw.StartedBefore, Expression: raw.If}
	if raw.StartedAfter != nil {
		r.After = *raw.StartedAfter
	}
	if wrong := r.check(now); len(wrong) > 0 {
		return Request{}, &InvalidError{strings.Join(wrong, "\n")}
	}
	return r, nil
}

func (r Request) check(now time.Time) (wrong []string) {
	if r.AppID == "" {
		wrong = append(wrong, "app_id is required")
	}
	if r.Function == "" {
		wrong = append(wrong, "function_id is required")
	}
	switch {
	case r.Before.IsZero():
		wrong = append(wrong, "started_before is required")
	case r.Before.After(now.Add(Tolerance)):
		wrong = append(wrong, "started_before must be in the past")
	}
	if !r.Before.IsZero() && !r.After.Before(r.Before) {
		wrong = append(wrong, "started_after must be before started_before")
	}
	if r.Expression != "" {
		if _, err := expr.Compile(r.Expression); err != nil {
			wrong = append(wrong, "if is invalid: "+err.Error())
		}
	}
	return wrong
}
