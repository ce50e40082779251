package ports

import (
	"context"

	"github.com/ingothq/ingot/internal/domain/gateway"
)

// Gateway makes requests on behalf of steps: AI inferences and fetches.
type Gateway interface {
	// Do makes one request, follows its redirects and returns what came back, decoded. Failures to get a response are
	// part of the response: Response.TransportError says why, without the request's secret. The error is for what is not
	// the other side's doing, such as a context that ended.
	//
	// relay is called with each piece of the decoded body of the last response, in order, while it arrives; nil for
	// nobody. A piece is valid during the call only. The body waits for relay, so it has to return soon; a relay that
	// panics is not called again, and the body is complete all the same.
	//
	// A request may reach the other side twice when a kept connection breaks as it is used; no attempt of the step is
	// counted for it. Safe for concurrent use.
	Do(ctx context.Context, request gateway.Request, relay func(chunk []byte)) (gateway.Response, error)
}
