package metadata

import (
	"encoding/json"
	"math"
	"strings"
	"unicode"
)

// kindScore is the kind of scores: {"<name>":{"value":<number or bool>}}.
const kindScore = "inngest.score"

// maxScoreName bounds the name of a score, in bytes.
const maxScoreName = 128

// badScore is the reason why a score is refused, in the words of the reference. Spec 04 §11.10.
const badScore = "score name or value is invalid; names must be at most 128 UTF-8 bytes, must not contain control " +
	"characters or single quotes, and values must be a finite number or boolean"

// checkScore says what is wrong with a score, empty for nothing.
func checkScore(name string, raw json.RawMessage) string {
	if name == "" || len(name) > maxScoreName || strings.ContainsFunc(name, func(r rune) bool { return r == '\'' || unicode.IsControl(r) }) {
		return badScore
	}
	var score map[string]json.RawMessage
	if err := json.Unmarshal(raw, &score); err != nil || len(score) != 1 {
		return badScore
	}
	if value := string(score["value"]); value != "true" && value != "false" && !isNumber(score["value"]) {
		return badScore
	}
	return ""
}

// isNumber says whether a value is a number that is finite.
func isNumber(raw json.RawMessage) bool {
	var number float64
	// null would be read as no number at all, without an error.
	return len(raw) > 0 && raw[0] != 'n' && json.Unmarshal(raw, &number) == nil && !math.IsInf(number, 0)
}
