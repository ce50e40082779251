package apiv2

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ingothq/ingot/internal/domain/metadata"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// CreateScores implements apiv2connect.APIServiceHandler. Scores of a run that is not known are accepted and dropped, as those of a
// run that was forgotten are: nothing is there to hold them. Spec 04 §11.10.
func (s *service) CreateScores(ctx context.Context, r *connect.Request[api.CreateScoresRequest]) (*connect.Response[api.CreateScoresResponse], error) {
	if s.config.NoMetadata {
		return nil, fail(http.StatusForbidden, codeAccessDenied, "Metadata is not enabled for this account")
	}
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	scores := make([]metadata.Score, len(r.Msg.GetScores()))
	for i, score := range r.Msg.GetScores() {
		scores[i] = scoreOf(score)
	}
	updates, err := metadata.OfScores(scores)
	if err != nil {
		return nil, badFormat(err.Error())
	}
	err = s.Metadata.Put(context.WithoutCancel(ctx), id, updates)
	switch {
	case errors.Is(err, metadata.ErrUpdateTooLarge), errors.Is(err, metadata.ErrRunFull):
		return nil, fail(http.StatusRequestEntityTooLarge, codeValidation, "Score exceeds the run metadata size limit")
	case err != nil && !errors.Is(err, ports.ErrNotFound):
		return nil, broken("Unable to record score", fmt.Errorf("scores of run %s: %w", id, err))
	}
	return answer(&api.CreateScoresResponse{Data: recorded(r.Msg), Metadata: s.metadata()}, nil)
}

func scoreOf(score *api.Score) metadata.Score {
	out := metadata.Score{Name: score.GetName(), StepID: score.StepId}
	if score.GetValue() != nil {
		if raw, err := protojson.Marshal(score.GetValue()); err == nil {
			out.Value = raw
		} else {
			out.Value = []byte(`"NaN"`) // JSON has no such number; it is none that is accepted
		}
	}
	if e := score.GetExperiment(); e != nil {
		out.Experiment = &metadata.Experiment{ID: e.GetId(), Variant: e.GetVariant()}
	}
	return out
}

// recorded says which scores were stored.
func recorded(m *api.CreateScoresRequest) []*api.RecordedScore {
	out := make([]*api.RecordedScore, len(m.GetScores()))
	for i, score := range m.GetScores() {
		out[i] = &api.RecordedScore{RunId: m.GetRunId(), Name: score.GetName(), Value: score.GetValue(), Experiment: score.GetExperiment()}
		if score.StepId != nil {
			out[i].StepId = proto.String(score.GetStepId())
		}
	}
	return out
}
