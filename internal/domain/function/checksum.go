package function

import (
	"crypto/sha256"
	"encoding/hex"
)

// Checksum identifies the content of a registration: the lower-case hex SHA-256 of its normalised form. Observations do
// not count. It only tells whether an app has changed since its last sync, so a value computed by another server costs
// one more sync (spec 01 §4.8).
func Checksum(request Request) string {
	type headers struct {
		Env      string `json:"env"`
		Platform string `json:"platform"`
	}
	sum := sha256.Sum256(mustMarshal(struct {
		V              string       `json:"v"`
		URL            string       `json:"url"`
		DeployType     string       `json:"deployType"`
		SDK            string       `json:"sdk"`
		Framework      string       `json:"framework"`
		AppName        string       `json:"appName"`
		AppVersion     string       `json:"appVersion,omitempty"`
		Functions      []Declared   `json:"functions"`
		Headers        headers      `json:"headers"` // always empty: what apps send here is not theirs to say
		IdempotencyKey string       `json:"idempotencyKey"`
		Capabilities   Capabilities `json:"capabilities"`
	}{
		V: request.V, URL: request.URL, DeployType: request.DeployType, SDK: request.SDK, Framework: request.Framework,
		AppName: request.AppName, AppVersion: request.AppVersion, Functions: request.Functions,
		IdempotencyKey: request.IdempotencyKey, Capabilities: request.Capabilities,
	}))
	return hex.EncodeToString(sum[:])
}
