package function

import "encoding/json"

// InBand reads the answer of an app that describes itself in its reply to a ping instead of registering; Go apps do so
// whenever a ping is signed. ok is false for any other answer. pinged is the URL that was called, for an app that does
// not name its own (spec 01 §7).
func InBand(body []byte, pinged string) (request Request, ok bool) {
	var reply struct {
		AppID        string       `json:"app_id"`
		AppVersion   string       `json:"appVersion"`
		Capabilities Capabilities `json:"capabilities"`
		Framework    string       `json:"framework"`
		Functions    *[]Declared  `json:"functions"`
		SDKLanguage  string       `json:"sdk_language"`
		SDKVersion   string       `json:"sdk_version"`
		URL          string       `json:"url"`
	}
	if json.Unmarshal(body, &reply) != nil {
		return Request{}, false
	}
	if reply.AppID == "" || reply.SDKLanguage == "" || reply.Functions == nil {
		return Request{}, false
	}
	request = Request{
		V: "1", URL: reply.URL, DeployType: "ping", SDK: reply.SDKLanguage + ":" + prefixed(reply.SDKVersion),
		Framework: reply.Framework, AppName: reply.AppID, AppVersion: reply.AppVersion, Functions: *reply.Functions,
		Capabilities: reply.Capabilities,
	}
	if request.URL == "" {
		request.URL = pinged
	}
	request.normalize()
	return request, true
}

// prefixed writes a version as registrations do, "v0.16.0"; in these answers the "v" may be missing.
func prefixed(version string) string {
	if version != "" && version[0] >= '0' && version[0] <= '9' {
		return "v" + version
	}
	return version
}
