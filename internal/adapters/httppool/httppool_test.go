package httppool

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ingothq/ingot/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock moves on by a step each time it is read.
type clock struct {
	testkit.Clock
	now  time.Time
	step time.Duration
}

func (c *clock) Now() time.Time {
	c.now = c.now.Add(c.step)
	return c.now
}

// TestPool_ReplacesADeadConnectionOnce makes two requests, the second of which finds the connection of the first dead.
func TestPool_ReplacesADeadConnectionOnce(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	type answers = [][]func(net.Conn)
	dies := answers{{testkit.Say(answer), testkit.HangUp}, {testkit.Say(answer)}}
	for name, test := range map[string]struct {
		answers     answers
		step        time.Duration
		body        string
		getBody     func() (io.ReadCloser, error)
		connections int
		fails       string
	}{
		"without a body":             {answers: dies, connections: 2},
		"with a body":                {answers: dies, body: "hello", connections: 2},
		"body that cannot be opened": {answers: dies, body: "hello", getBody: func() (io.ReadCloser, error) { return nil, errors.New("gone") }, connections: 1, fails: "repeat body: gone"},
		"body that is there once":    {answers: dies, body: "once", connections: 1, fails: "EOF"},
		"after it has worked":        {answers: dies, step: 2 * StaleWithin, connections: 1, fails: "EOF"},
		"once it has answered":       {answers: answers{{testkit.Say(answer), testkit.Say("HTTP/1.1 200 OK\r\n")}, {testkit.Say(answer)}}, connections: 1, fails: "EOF"},
		"no third time":              {answers: answers{{testkit.Say(answer), testkit.HangUp}, {testkit.HangUp}, {testkit.Say(answer)}}, connections: 2, fails: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, accepted := testkit.Script(t, test.answers...)
			pool := New(&http.Transport{}, &clock{step: test.step})
			t.Cleanup(pool.Close)
			client := &http.Client{Transport: pool}
			var last error
			for range 2 {
				var body io.Reader
				if test.body != "" {
					body = strings.NewReader(test.body)
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
				if err != nil {
					t.Fatal(err)
				}
				if test.body == "once" {
					request.GetBody = nil
				}
				if test.getBody != nil {
					request.GetBody = test.getBody
				}
				response, err := client.Do(request)
				if last = err; err != nil {
					continue
				}
				if text, err := io.ReadAll(response.Body); err != nil || string(text) != "ok" {
					t.Errorf("answer %q, %v", text, err)
				}
				response.Body.Close()
			}
			if test.fails == "" && last != nil || test.fails != "" && (last == nil || !strings.HasSuffix(last.Error(), test.fails)) {
				t.Errorf("the second request ends with %v, want %q", last, test.fails)
			}
			if got := accepted(); got != test.connections {
				t.Errorf("%d connections, want %d", got, test.connections)
			}
		})
	}
}
