package metadata

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ingothq/ingot/internal/domain/ids"
)

// MaxScores bounds the scores of one request.
const MaxScores = 100

// kindExperiment is the kind of {"name","variant"}: which variant of an experiment a run had.
const kindExperiment = "inngest.experiment"

// Score says how good a run or a step of it was.
type Score struct {
	Name string
	// Value is a JSON number or boolean; empty or null for none.
	Value json.RawMessage
	// StepID is the ID of a step as its app wrote it; nil for the run.
	StepID     *string
	Experiment *Experiment
}

// Experiment is an experiment and the variant that a run had.
type Experiment struct{ ID, Variant string }

// badScores is badScore as the API for scores says it.
const badScores = "Score name or value is invalid; names must be at most 128 UTF-8 bytes, must not contain control characters or " +
	"single quotes, and values must be a finite number or boolean"

// OfScores are the updates that record the scores, in their order. The error is the text for the sender and names the score at
// fault. Source: spec 04 §11.10.
func OfScores(scores []Score) ([]Update, error) {
	if len(scores) == 0 {
		return nil, errors.New("At least one score is required")
	}
	if len(scores) > MaxScores {
		return nil, fmt.Errorf("At most %d scores are allowed", MaxScores)
	}
	var updates []Update
	for i, score := range scores {
		value := json.RawMessage(fmt.Appendf(nil, `{"value":%s}`, score.Value))
		if reason := score.check(value); reason != "" {
			return nil, fmt.Errorf("scores[%d]: %s", i, reason)
		}
		target := OfRun()
		if score.StepID != nil {
			target = OfStep(ids.StepHash(*score.StepID, 0), FinalAttempt)
		}
		updates = append(updates, Update{Target: target, Kind: kindScore, Op: Merge, Values: Values{score.Name: value}})
		if score.Experiment != nil {
			updates = append(updates, Update{Target: target, Kind: kindExperiment, Op: Merge, Values: Values{
				"name": jsonText(score.Experiment.ID), "variant": jsonText(score.Experiment.Variant),
			}})
		}
	}
	return updates, nil
}

// check says what is wrong with a score whose metadata would be value; empty for nothing.
func (s Score) check(value json.RawMessage) string {
	none := len(s.Value) == 0 || string(s.Value) == "null"
	switch {
	case s.Name == "":
		return "Score name is required"
	case none:
		return "Score value is required"
	case string(s.Value) != "true" && string(s.Value) != "false" && !isNumber(s.Value):
		return "Score value must be a finite number or boolean"
	case s.StepID != nil && *s.StepID == "":
		return "Step ID must not be empty when provided"
	case s.Experiment != nil && s.StepID != nil:
		return "Experiment scores must be run-scoped"
	case s.Experiment != nil && s.Experiment.ID == "":
		return "Experiment ID is required when experiment is provided"
	case s.Experiment != nil && s.Experiment.Variant == "":
		return "Experiment variant is required when experiment is provided"
	case checkScore(s.Name, value) != "":
		return badScores
	}
	return ""
}

func jsonText(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // texts always encode
	return raw
}
