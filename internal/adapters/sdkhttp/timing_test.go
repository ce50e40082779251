package sdkhttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ingothq/ingot/internal/domain/sdk"
	"github.com/ingothq/ingot/internal/testkit"
)

// TestCall_TellsWhereItsTimeWent makes calls by a clock that moves on by a second each time that it is read.
func TestCall_TellsWhereItsTimeWent(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	dead, _ := testkit.Script(t, []func(net.Conn){testkit.HangUp})
	const tick = time.Second
	// The clock is read at the beginning and the end of a call, of a body and of dialling, and before each request.
	for name, test := range map[string]struct {
		urls []string
		want sdk.Timing
	}{
		"that opens a connection":      {[]string{app.URL}, sdk.Timing{Total: 6 * tick, TCP: tick, Transfer: tick}},
		"on a connection that is kept": {[]string{app.URL, app.URL}, sdk.Timing{Total: 4 * tick, Transfer: tick}},
		"that is redirected":           {[]string{app.URL + "/elsewhere"}, sdk.Timing{Total: 7 * tick, TCP: tick, Transfer: tick}},
		"without an answer":            {[]string{dead}, sdk.Timing{Total: 4 * tick, TCP: tick}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			worker := New(Config{}, newClock(tick))
			t.Cleanup(worker.Close)
			var got sdk.Timing
			for _, url := range test.urls {
				response, err := worker.Call(context.WithoutCancel(t.Context()), aCall(url))
				if err != nil {
					t.Fatal(err)
				}
				got = response.Timing
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
