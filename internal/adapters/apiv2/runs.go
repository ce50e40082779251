package apiv2

import (
	"context"
	"errors"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ingothq/ingot/internal/app/history"
	"github.com/ingothq/ingot/internal/ports"
	api "github.com/ingothq/ingot/proto/api/v2"
)

const (
	// maxEventRuns is how many runs of an event a page has at most.
	maxEventRuns   = 40
	textRunsFailed = "Unable to fetch runs"
	textRunFailed  = "Unable to fetch run"
)

// ListRuns implements apiv2connect.APIServiceHandler. Spec 04 §11.7.
func (s *service) ListRuns(ctx context.Context, r *connect.Request[api.ListRunsRequest]) (*connect.Response[api.ListRunsResponse], error) {
	list, err := readRunList(r.Msg, r.Msg.Limit, r.Msg.IsDeferred)
	if err != nil {
		return nil, err
	}
	if len(r.Msg.GetFunctionId()) > 0 && len(r.Msg.GetAppId()) == 0 {
		return nil, badFormat("appId is required when filtering by functionId")
	}
	some, err := s.narrow(ctx, &list, r.Msg.GetAppId(), r.Msg.GetFunctionId())
	if err != nil {
		return nil, err
	}
	runs, page, err := s.runs(ctx, list, some, r.Msg.GetIncludeOutput())
	return answer(&api.ListRunsResponse{Data: runs, Metadata: s.ranged(list), Page: page}, err)
}

// ListFunctionRuns implements apiv2connect.APIServiceHandler. Spec 04 §11.7.
func (s *service) ListFunctionRuns(ctx context.Context, r *connect.Request[api.ListFunctionRunsRequest]) (*connect.Response[api.ListFunctionRunsResponse], error) {
	list, err := readRunList(r.Msg, r.Msg.Limit, r.Msg.IsDeferred)
	if err != nil {
		return nil, err
	}
	some, err := s.narrow(ctx, &list, []string{r.Msg.GetAppId()}, []string{r.Msg.GetFunctionId()})
	if err != nil {
		return nil, err
	}
	runs, page, err := s.runs(ctx, list, some, r.Msg.GetIncludeOutput())
	return answer(&api.ListFunctionRunsResponse{Data: runs, Metadata: s.ranged(list), Page: page}, err)
}

// ranged is what comes with a list of runs.
func (s *service) ranged(list ports.RunList) *api.ResponseMetadata {
	metadata := s.metadata()
	if !list.From.IsZero() && !list.Until.IsZero() {
		metadata.TimeRange = &api.TimeRange{From: timestamppb.New(list.From), Until: timestamppb.New(list.Until)}
	}
	return metadata
}

// narrow has the list select apps and functions by what they are called. It says whether there may be any runs then.
func (s *service) narrow(ctx context.Context, list *ports.RunList, apps, functions []string) (bool, error) {
	for _, name := range apps {
		app, err := s.app(ctx, name)
		if errors.Is(err, ports.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, broken(textRunsFailed, err)
		}
		list.Apps = append(list.Apps, app.ID)
		for _, id := range functions {
			for _, id := range spellings(id) {
				fn, err := s.functionIn(ctx, app.App, id)
				if errors.Is(err, ports.ErrNotFound) {
					continue
				}
				if err != nil {
					return false, broken(textRunsFailed, err)
				}
				list.Functions = append(list.Functions, fn.ID)
				break
			}
		}
	}
	return (len(apps) == 0 || len(list.Apps) > 0) && (len(functions) == 0 || len(list.Functions) > 0), nil
}

// runs is a page of a list. With outputs a page ends early when they are large.
func (s *service) runs(ctx context.Context, list ports.RunList, some, outputs bool) ([]*api.FunctionRun, *api.Page, error) {
	page := &api.Page{Limit: number(list.Limit)}
	if !some {
		return nil, page, nil
	}
	found, err := s.Reader.Runs(ctx, history.Query{RunList: list})
	if err != nil {
		return nil, nil, broken(textRunsFailed, err)
	}
	return s.pageOf(ctx, found.Runs, page, list.Time, found.More, outputs)
}

// pageOf describes runs, and says where the list goes on.
func (s *service) pageOf(ctx context.Context, found []ports.RunSummary, page *api.Page, by ports.RunTime, more, outputs bool) ([]*api.FunctionRun, *api.Page, error) {
	if outputs {
		fitting, err := s.withOutputs(ctx, found)
		if err != nil {
			return nil, nil, broken(textRunsFailed, err)
		}
		more, found = more || len(fitting) < len(found), fitting
	}
	if page.HasMore = more; more && len(found) > 0 {
		page.Cursor = cursorOf(by, found[len(found)-1])
	}
	names := s.names()
	runs := make([]*api.FunctionRun, len(found))
	for i, summary := range found {
		var err error
		if runs[i], err = names.run(ctx, summary, outputs); err != nil && !errors.Is(err, ports.ErrNotFound) {
			return nil, nil, broken(textRunsFailed, err)
		}
	}
	return runs, page, nil
}

const (
	// outputsAtOnce is how many outputs are read at once, maxOutputs how many bytes of them a page has before it ends.
	outputsAtOnce = 8
	maxOutputs    = 8 << 20
)

// withOutputs are the runs with their outputs, as many as fit into an answer.
func (s *service) withOutputs(ctx context.Context, runs []ports.RunSummary) ([]ports.RunSummary, error) {
	size := 0
	for at := 0; at < len(runs); at += outputsAtOnce {
		var ids []ulid.ULID
		for _, run := range runs[at:min(at+outputsAtOnce, len(runs))] {
			ids = append(ids, run.RunID)
		}
		full, err := s.History.Summaries(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i := range ids {
			if j := slices.IndexFunc(full, func(r ports.RunSummary) bool { return r.RunID == ids[i] }); j >= 0 {
				runs[at+i].Output, runs[at+i].HasOutput = full[j].Output, full[j].HasOutput
			}
			if size += len(runs[at+i].Output); size > maxOutputs {
				return runs[:max(at+i, 1)], nil
			}
		}
	}
	return runs, nil
}

// GetEventRuns implements apiv2connect.APIServiceHandler. Spec 04 §11.7.
func (s *service) GetEventRuns(ctx context.Context, r *connect.Request[api.GetEventRunsRequest]) (*connect.Response[api.GetEventRunsResponse], error) {
	id, err := ulid.ParseStrict(r.Msg.GetEventId())
	if err != nil {
		return nil, badFormat("Event ID must be a valid ULID")
	}
	size, err := runLimit(r.Msg.Limit, maxEventRuns)
	if err != nil {
		return nil, err
	}
	after, err := cursorIn(ports.ByQueued, r.Msg.GetCursor())
	if err != nil {
		return nil, err
	}
	found, err := s.Reader.RunsOfEvents(ctx, []ulid.ULID{id})
	if err != nil {
		return nil, broken(textRunsFailed, err)
	}
	runs := slices.DeleteFunc(slices.Clone(found[id]), func(r ports.RunSummary) bool { return r.Status == ports.RunSkipped || !behind(r, after) })
	slices.SortFunc(runs, func(a, b ports.RunSummary) int { return b.RunID.Compare(a.RunID) })
	more := len(runs) > size
	data, page, err := s.pageOf(ctx, runs[:min(size, len(runs))], &api.Page{Limit: number(size)}, ports.ByQueued, more, r.Msg.GetIncludeOutput())
	return answer(&api.GetEventRunsResponse{Data: data, Metadata: s.metadata(), Page: page}, err)
}

// behind says whether a run comes after the cursor, newest first.
func behind(r ports.RunSummary, after *ports.RunCursor) bool {
	return after == nil || r.RunID.Compare(after.Run) < 0
}

// GetFunctionRun implements apiv2connect.APIServiceHandler. Spec 04 §11.7.
func (s *service) GetFunctionRun(ctx context.Context, r *connect.Request[api.GetFunctionRunRequest]) (*connect.Response[api.GetFunctionRunResponse], error) {
	id, err := runID(r.Msg.GetRunId())
	if err != nil {
		return nil, err
	}
	summary, err := s.Reader.Run(ctx, id)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, notFound(textRunNotFound)
	case err != nil:
		return nil, broken(textRunFailed, err)
	}
	run, err := s.names().run(ctx, summary, r.Msg.GetIncludeOutput())
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, notFound(textFunctionNotFound)
	case err != nil:
		return nil, broken(textRunFailed, err)
	}
	return answer(&api.GetFunctionRunResponse{Data: run, Metadata: s.metadata()}, nil)
}

// stamp is a time that may be unknown.
func stamp(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}
	return timestamppb.New(at)
}
