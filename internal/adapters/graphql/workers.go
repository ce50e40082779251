package graphql

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
)

// WorkerConnections are none: apps are not reached by connections of theirs.
func (q query) WorkerConnections(context.Context, int, *string, []*generated.ConnectV1WorkerConnectionsOrderBy, generated.ConnectV1WorkerConnectionsFilter) (*generated.ConnectV1WorkerConnectionsConnection, error) {
	return &generated.ConnectV1WorkerConnectionsConnection{
		Edges: []*generated.ConnectV1WorkerConnectionEdge{}, PageInfo: &generated.PageInfo{},
	}, nil
}

// WorkerConnection finds none.
func (q query) WorkerConnection(context.Context, ulid.ULID) (*generated.ConnectV1WorkerConnection, error) {
	return nil, refuse("error retrieving worker connection: " + textNoRows)
}

// App is never asked for: there are no workers.
func (r workerFields) App(context.Context, *generated.ConnectV1WorkerConnection) (*generated.App, error) {
	return nil, nil
}
