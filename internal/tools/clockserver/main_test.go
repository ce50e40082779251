package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingothq/ingot/internal/testkit"
	"github.com/ingothq/ingot/internal/testkit/clock"
)

// ask makes a request and returns the status and the body.
func ask(t *testing.T, method, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

// freePorts returns ports that were free a moment ago.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

func TestRun_ServesUntilItIsToldToStop(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 2)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log testkit.Output
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"dev", "--host", "127.0.0.1", "--port", ports[0], "--no-discovery", "--no-poll", "--clock-port", ports[1]}, &log)
	}()
	for status := 0; status != http.StatusOK; {
		select {
		case err := <-ended:
			t.Fatalf("ended with %v:\n%s", err, &log)
		default:
			status, _ = ask(t, http.MethodGet, "http://127.0.0.1:"+ports[0]+"/health")
		}
	}
	hand := "http://127.0.0.1:" + ports[1]
	if status, told := ask(t, http.MethodPost, hand+"/advance?by=8760h"); status != http.StatusOK {
		t.Errorf("status %d: %s", status, told)
	}
	_, told := ask(t, http.MethodGet, hand+"/now")
	now, err := time.Parse(time.RFC3339Nano, told)
	if ahead := time.Until(now); err != nil || ahead < 8759*time.Hour || ahead > 8760*time.Hour {
		t.Errorf("it is %q there, %s ahead, %v", told, ahead, err)
	}

	if err := run(t.Context(), []string{"dev", "--host", "127.0.0.1", "--port", ports[0]}, &log); err == nil {
		t.Error("two servers on one port")
	}
	if err := run(t.Context(), []string{"dev", "--host", "127.0.0.1", "--port", "0", "--clock-port", ports[1]}, &log); err == nil {
		t.Error("two clocks on one port")
	}
	if stop(); <-ended != nil {
		t.Errorf("ended with an error:\n%s", &log)
	}
}

func TestServe_SaysWhenItCannot(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := serve(t.Context(), http.NotFoundHandler(), listener); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error is %v", err)
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	var c clock.Clock
	web := httptest.NewServer(handler(&c))
	defer web.Close()
	for by, want := range map[string]int{"0s": 200, "1h30m": 200, "": 400, "1d": 400, "-1h": 400, "9999999h": 400} {
		before := c.Now()
		status, body := ask(t, http.MethodPost, web.URL+"/advance?by="+url.QueryEscape(by))
		if status != want {
			t.Errorf("%q: status %d, want %d: %s", by, status, want, body)
		}
		moved := c.Now().Sub(before)
		if by == "1h30m" && moved < 90*time.Minute || by != "1h30m" && moved > time.Minute {
			t.Errorf("%q moved the clock by %s", by, moved)
		}
	}
	if status, _ := ask(t, http.MethodGet, web.URL+"/advance?by=1h"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET moves the clock: status %d", status)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	given, err := parse(strings.Fields("dev --host h --port 1 --no-poll --sdk-url a -sdk-url b --retry-interval=3 --clock-port 7"), io.Discard)
	want := map[string]any{"host": "h", "port": "1", "no-poll": "true", "sdk-url": []string{"a", "b"}, "retry-interval": "3"}
	if diff := cmp.Diff(want, given.flags); diff != "" || err != nil || given.clockPort != 7 {
		t.Errorf("clock port %d, %v (-want +got):\n%s", given.clockPort, err, diff)
	}
	for name, line := range map[string]string{
		"no command": "", "another command": "start", "start's flag": "dev --signing-key a", "an argument": "dev more", "a short flag": "dev -u a", "no number": "dev --clock-port x",
	} {
		if _, err := parse(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("%s: accepted %q", name, line)
		}
	}
	if _, err := parse([]string{"dev", "--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
}

func TestRun_RefusesWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "dev --port x", "dev --retry-interval soon", "dev --no-poll=perhaps"} {
		if err := run(t.Context(), strings.Fields(line), io.Discard); err == nil {
			t.Errorf("accepted %q", line)
		}
	}
}
