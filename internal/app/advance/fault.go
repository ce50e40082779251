package advance

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Fault turns what a bug did into an error, so that it parks the job or event it happened for and the others go on. It is
// given what recover returned and the error so far. The panics of others are not ours to stop.
func Fault(reason any, err error) error {
	if reason == nil {
		return err
	}
	bug, ok := reason.(runtime.Error)
	if !ok {
		panic(reason)
	}
	return fmt.Errorf("bug: %w\n%s", bug, debug.Stack())
}
