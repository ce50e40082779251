package function

import (
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/uuid"
)

// The refusals of a sync (spec 01 §4.8).
const (
	CodeSDKDenied = "sdk_version_denied"

	textSDKDenied = "App sync was blocked because this application is using an Inngest JavaScript SDK with a known " +
		"security vulnerability. Please upgrade to v3.54.0 or later. See more information: " +
		"https://www.inngest.com/blog/cve-2026-42047"
	textNoAppName       = "App ID required"
	textInvalidFunction = "At least one function is invalid"
)

// TextSavingFunction is what is said of a sync that failed inside the server; the status is 500.
const TextSavingFunction = "Error saving function"

// Refusal is why a sync is refused: an HTTP status, a text and, for some, a code.
type Refusal struct {
	Status int
	Code   string
	Text   string
}

// Body is the answer to a refused sync, with its newline:
// {"code"?:"…","error":"…","data":null,"status":400}.
func (r Refusal) Body() []byte {
	return line(struct {
		Code   string `json:"code,omitempty"`
		Error  string `json:"error"`
		Data   any    `json:"data"`
		Status int    `json:"status"`
	}{Code: r.Code, Error: r.Text, Status: r.Status})
}

// AcceptedBody is the answer to a sync that succeeded; modified says whether anything had changed. There is no newline.
func AcceptedBody(app, syncID uuid.UUID, modified bool) []byte {
	return mustMarshal(struct {
		OK       bool      `json:"ok"`
		Modified bool      `json:"modified"`
		SyncID   uuid.UUID `json:"sync_id"`
		AppID    uuid.UUID `json:"app_id"`
	}{OK: true, Modified: modified, SyncID: syncID, AppID: app})
}

// ErrorBody is the answer, with status 400, to a request that was not even read: {"error":"…"} and a newline.
func ErrorBody(text string) []byte {
	return line(struct {
		Error string `json:"error"`
	}{text})
}

// KindMismatch returns the text for an app that expects another kind of server, "dev" or "cloud"; ok is false when the
// expectation, empty for none, is met.
func KindMismatch(own, expected string) (text string, mismatch bool) {
	if expected == "" || expected == own {
		return "", false
	}
	return "Expected server kind " + own + ", got " + expected, true
}

// StatusRefused is the status of all refusals that are the app's fault.
const StatusRefused = 400

// DeniedSDK says whether an SDK, "<language>:<version>", is a JavaScript SDK from v3.22.0 to v3.53.1. These may leak keys,
// and their apps are not registered (spec 01 §4.7.6).
func DeniedSDK(sdk string) bool {
	request := Request{SDK: sdk}
	language, text := request.sdk()
	if strings.TrimPrefix(language, "inngest-") != "js" {
		return false
	}
	version, err := semver.NewVersion(text)
	if err != nil {
		return false
	}
	return !version.LessThan(semver.New(3, 22, 0, "", "")) && !version.GreaterThan(semver.New(3, 53, 1, "", ""))
}

func line(value any) []byte {
	return append(mustMarshal(value), '\n')
}
