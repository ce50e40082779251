package apiv2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"connectrpc.com/connect"

	api "github.com/ingothq/ingot/proto/api/v2"
	"github.com/ingothq/ingot/proto/api/v2/apiv2connect"
)

// Codes of errors. Spec 04 §11.2.
const (
	codeAPI           = "api_error"
	codeAccessDenied  = "access_denied"
	codeDebounced     = "function_debounced"
	codeFormat        = "invalid_field_format"
	codeInternal      = "internal_error"
	codeInvalid       = "invalid_request"
	codeMissing       = "missing_field"
	codeNotFound      = "not_found"
	codeUnimplemented = "not_implemented"
	codeRateLimited   = "rate_limited"
	codeRunCancelled  = "run_already_cancelled"
	codeRunEnded      = "run_already_ended"
	codeSkipped       = "function_skipped"
	codeValidation    = "validation_error"
)

// failure is an answer that is an error.
type failure struct {
	// status is that of REST.
	status int
	errors []*api.Error
	// cause is for the log, not for the client.
	cause error
}

func (f *failure) Error() string {
	var texts []string
	for _, e := range f.errors {
		texts = append(texts, e.GetMessage())
	}
	return strings.Join(texts, "; ")
}

func (f *failure) Unwrap() error { return f.cause }

func fail(status int, code, message string) *failure {
	return &failure{status: status, errors: []*api.Error{{Code: code, Message: message}}}
}

func badFormat(message string) *failure { return fail(http.StatusBadRequest, codeFormat, message) }

func missing(message string) *failure { return fail(http.StatusBadRequest, codeMissing, message) }

func notFound(message string) *failure { return fail(http.StatusNotFound, codeNotFound, message) }

// broken is a failure of the server's own.
func broken(message string, cause error) *failure {
	f := fail(http.StatusInternalServerError, codeInternal, message)
	f.cause = cause
	return f
}

// rpcCodes are the codes of RPC for the statuses of REST; others are internal errors.
var rpcCodes = map[int]connect.Code{
	http.StatusBadRequest:            connect.CodeInvalidArgument,
	http.StatusForbidden:             connect.CodePermissionDenied,
	http.StatusNotFound:              connect.CodeNotFound,
	http.StatusConflict:              connect.CodeFailedPrecondition,
	http.StatusRequestEntityTooLarge: connect.CodeResourceExhausted,
	http.StatusUnprocessableEntity:   connect.CodeFailedPrecondition,
	http.StatusNotImplemented:        connect.CodeUnimplemented,
	http.StatusGatewayTimeout:        connect.CodeDeadlineExceeded,
}

// connect is the failure as clients of RPC get it, with the errors of REST as a detail.
func (f *failure) connect() *connect.Error {
	code, ok := rpcCodes[f.status]
	if !ok {
		code = connect.CodeInternal
	}
	err := connect.NewError(code, errors.New(f.Error()))
	if detail, problem := connect.NewErrorDetail(&api.ErrorResponse{Errors: f.errors}); problem == nil {
		err.AddDetail(detail)
	}
	return err
}

// intercept stands around every method: it bounds its time, turns errors and panics into answers, and logs what is the server's
// fault.
func (s *service) intercept(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (response connect.AnyResponse, err error) {
		if call := restOf(ctx); call != nil && call.refused() {
			return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the request was refused"))
		}
		ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		defer func() {
			if reason := recover(); reason != nil {
				response, err = nil, broken("Internal server error", fmt.Errorf("panic: %v\n%s", reason, debug.Stack()))
			}
			if err != nil {
				err = s.explain(ctx, request.Spec().Procedure, err)
			}
		}()
		if spec := request.Spec(); spec.IdempotencyLevel == connect.IdempotencyNoSideEffects && spec.Procedure != apiv2connect.APIServiceHealthProcedure {
			leave, err := s.Gate.Enter(ctx)
			if err != nil {
				return nil, err //nolint:wrapcheck // the cause of the request's own context
			}
			defer leave()
		}
		return next(ctx, request)
	}
}

// explain makes an error one for the client.
func (s *service) explain(ctx context.Context, procedure string, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		if ready := (*connect.Error)(nil); errors.As(err, &ready) {
			return err
		}
		f = broken("Internal server error", err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && f.status == http.StatusInternalServerError {
		f = &failure{http.StatusGatewayTimeout, []*api.Error{{Code: codeInternal, Message: "The request took too long"}}, f.cause}
	}
	if f.cause != nil && f.status >= http.StatusInternalServerError {
		s.Log.ErrorContext(ctx, "api request failed", "method", procedure, "error", f.cause)
	}
	if call := restOf(ctx); call != nil {
		call.failure = f
	}
	return f.connect()
}
