package start

import (
	"errors"

	"github.com/ingothq/ingot/internal/domain/flow"
	"github.com/ingothq/ingot/internal/ports"
)

// Why a run that somebody asks for does not start now.
var (
	// ErrRateLimited says that the function's rate limit lets no more through.
	ErrRateLimited = errors.New("function rate limited")
	// ErrDebounced says that the event waits for its key to become quiet, as it does when it is sent.
	ErrDebounced = errors.New("function debounced")
	// ErrPaused says that no run of the function starts at present.
	ErrPaused = errors.New("the function is paused")
	// ErrSingleton says that another run of a function that allows one at a time is in progress.
	ErrSingleton = errors.New("another run of the function is in progress")
)

// Refusal is the error for what became of a run; nil when it has started, or when its key has started one before.
func Refusal(planned ports.NewRun, became ports.Scheduled) error {
	switch became.Result {
	case flow.RateLimited:
		return ErrRateLimited
	case flow.IntoDebounce:
		return ErrDebounced
	case flow.Skipped:
		if planned.Paused {
			return ErrPaused
		}
		return ErrSingleton
	case flow.Started, flow.Duplicate, flow.IntoBatch: // what is asked for is never batched
	}
	return nil
}
