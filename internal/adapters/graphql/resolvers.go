package graphql

import "github.com/ingothq/ingot/internal/adapters/graphql/generated"

// resolvers are the entries to the types of the schema whose fields are not all there when a value is made.
type resolvers struct{ *api }

var _ generated.ResolverRoot = resolvers{}

// The types of the schema.
type (
	query             struct{ *api }
	mutation          struct{ *api }
	appFields         struct{ *api }
	functionFields    struct{ *api }
	eventFields       struct{ *api }
	eventV2Fields     struct{ *api }
	eventsFields      struct{ *api }
	functionRunFields struct{ *api }
	runFields         struct{ *api }
	runsFields        struct{ *api }
	deferFields       struct{ *api }
	deferredFields    struct{ *api }
	spanFields        struct{ *api }
	workerFields      struct{ *api }
)

// Query is the root of queries.
func (r resolvers) Query() generated.QueryResolver { return query(r) }

// Mutation is the root of mutations.
func (r resolvers) Mutation() generated.MutationResolver { return mutation(r) }

// App reads fields of apps.
func (r resolvers) App() generated.AppResolver { return appFields(r) }

// Function reads fields of functions.
func (r resolvers) Function() generated.FunctionResolver { return functionFields(r) }

// Event reads fields of events, in their older form.
func (r resolvers) Event() generated.EventResolver { return eventFields(r) }

// EventV2 reads fields of events.
func (r resolvers) EventV2() generated.EventV2Resolver { return eventV2Fields(r) }

// EventsConnection reads fields of lists of events.
func (r resolvers) EventsConnection() generated.EventsConnectionResolver { return eventsFields(r) }

// FunctionRun reads fields of runs, in their older form.
func (r resolvers) FunctionRun() generated.FunctionRunResolver { return functionRunFields(r) }

// FunctionRunV2 reads fields of runs.
func (r resolvers) FunctionRunV2() generated.FunctionRunV2Resolver { return runFields(r) }

// RunsV2Connection reads fields of lists of runs.
func (r resolvers) RunsV2Connection() generated.RunsV2ConnectionResolver { return runsFields(r) }

// RunDefer reads fields of runs that a run defers.
func (r resolvers) RunDefer() generated.RunDeferResolver { return deferFields(r) }

// RunDeferredFrom reads fields of runs that defer a run.
func (r resolvers) RunDeferredFrom() generated.RunDeferredFromResolver { return deferredFields(r) }

// RunTraceSpan reads fields of spans.
func (r resolvers) RunTraceSpan() generated.RunTraceSpanResolver { return spanFields(r) }

// ConnectV1WorkerConnection reads fields of workers.
func (r resolvers) ConnectV1WorkerConnection() generated.ConnectV1WorkerConnectionResolver {
	return workerFields(r)
}
