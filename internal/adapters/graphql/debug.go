package graphql

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/ingothq/ingot/internal/adapters/graphql/generated"
)

// CreateDebugSession makes the IDs of a session; nothing is stored until there are runs in it. Spec 05 §7.6.
func (m mutation) CreateDebugSession(context.Context, generated.CreateDebugSessionInput) (*generated.CreateDebugSessionResponse, error) {
	now := m.Clock.Now()
	return &generated.CreateDebugSessionResponse{DebugSessionID: m.IDs.ULID(now), DebugRunID: m.IDs.ULID(now)}, nil
}

// DebugRun has no traces: runs belong to no debugger's run.
func (q query) DebugRun(_ context.Context, asked generated.DebugRunQuery) (*generated.DebugRun, error) {
	if asked.DebugRunID == nil || *asked.DebugRunID == "" {
		return &generated.DebugRun{}, nil
	}
	if _, err := ulid.ParseStrict(*asked.DebugRunID); err != nil {
		return nil, refuse("invalid debugRunID: %s", err)
	}
	return &generated.DebugRun{DebugTraces: []*generated.RunTraceSpan{}}, nil
}

// DebugSession finds none.
func (q query) DebugSession(context.Context, generated.DebugSessionQuery) (*generated.DebugSession, error) {
	return nil, refuse("debug session not found")
}
