package graphql

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	gqlgen "github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// refusal is an error that is meant for the client.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

// refuse makes an error for the client. Of an error among the arguments nothing but its text is known afterwards.
func refuse(format string, args ...any) error {
	return &refusal{text: fmt.Sprintf(format, args...)}
}

// shown has the client see an error of the application as it is.
func shown(err error) error { return &refusal{text: err.Error(), cause: err} }

const (
	// textInternal is what clients are told of faults that are not theirs. Spec 05 §1.2.
	textInternal = "internal system error"
	// textNoRows is what the reference says of what does not exist.
	textNoRows = "sql: no rows in result set"
)

// resolved decides what of an error of a resolver the client sees: refusals. All else is logged.
func (a *api) resolved(ctx context.Context, next gqlgen.Resolver) (any, error) {
	value, err := next(ctx)
	var refused *refusal
	switch {
	case err == nil, errors.As(err, &refused):
		return value, err
	case ctx.Err() == nil: // otherwise whoever asked is told of that, or has gone
		a.Log.ErrorContext(ctx, "graphql query failed", "path", gqlgen.GetPath(ctx).String(), "error", err)
	}
	return nil, refuse(textInternal)
}

// present shows an error. Those of resolvers have no place in the text, as clients know them.
func present(ctx context.Context, err error) *gqlerror.Error {
	shown := gqlgen.DefaultErrorPresenter(ctx, err)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		shown.Message, shown.Locations = refused.text, nil
	}
	return shown
}

// recovered turns a panic of a resolver into an error of its field.
func (a *api) recovered(ctx context.Context, reason any) error {
	a.Log.ErrorContext(ctx, "graphql query failed", "path", gqlgen.GetPath(ctx).String(), "error", fmt.Sprintf("panic: %v", reason), "stack", string(debug.Stack()))
	return refuse(textInternal)
}
