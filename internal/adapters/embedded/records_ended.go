package embedded

import (
	"google.golang.org/protobuf/proto"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/domain/run"
	"github.com/ingothq/ingot/internal/domain/sdk"
	enginev1 "github.com/ingothq/ingot/proto/ingot/engine/v1"
)

// endedRecord is what is kept of a run that ends so that it can be run again; nil when its row of history says it all, which
// is the first event.
func endedRecord(s run.State) []byte {
	if s.Endpoint == nil && len(s.Events) == 1 && len(s.Events[0].Sessions) == 0 {
		return nil
	}
	head, _ := headRecord(s, func(ulid.ULID) bool { return true })
	head.Flow = nil // a rerun has keys of its own
	return marshal(head)
}

// endpointFrom is the endpoint of a head, nil for none.
func endpointFrom(head *enginev1.RunHead) *run.Endpoint {
	record := head.GetEndpoint()
	if record == nil {
		return nil
	}
	return &run.Endpoint{Method: record.GetMethod(), Language: record.GetLanguage()}
}

// responseRecord is the answer of a durable endpoint; nil for none.
func responseRecord(response *sdk.HTTPResult) []byte {
	if response == nil {
		return nil
	}
	return marshal(&enginev1.Response{Status: int64(response.Status), Headers: response.Headers, Body: response.Body})
}

// responseFromRecord is the inverse of responseRecord.
func responseFromRecord(column []byte) (*sdk.HTTPResult, error) {
	if len(column) == 0 {
		return nil, nil
	}
	record := &enginev1.Response{}
	if err := proto.Unmarshal(column, record); err != nil {
		return nil, damaged("response record", err)
	}
	return &sdk.HTTPResult{Status: int(record.GetStatus()), Headers: record.GetHeaders(), Body: record.GetBody()}, nil
}
