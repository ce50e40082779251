package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is a server that answers with what it was asked, and the flags that call it.
func asked(t *testing.T) (flags []string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/nope") {
			http.Error(w, `{"errors":[]}`, http.StatusNotFound)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/health") {
			<-r.Context().Done()
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"asked":%q}`, fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL, body, r.Header.Get("Authorization"), r.Header.Get("X-Inngest-Env")))
	}))
	t.Cleanup(s.Close)
	host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return []string{"--api-host", host, "--api-port", port}
}

func TestAPI_Calls(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte(`{"name":"from/file","ts":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const sum = "3e0c020d16ae2fa8467cb0af8488907cbaec86257d6b26c54e60696bc475fc8c"
	for name, test := range map[string]struct {
		environ, args []string
		stdin, want   string
	}{
		"path, query and key": {nil, []string{"--signing-key", "signkey-prod-abc123def456", "get-function-runs", "--app-id", "a", "--function-id", "f/g", "--limit", "3", "--status", "FAILED", "--status", "RUNNING", "--include-output"},
			"", "GET /api/v2/apps/a/functions/f%2Fg/runs?includeOutput=true&limit=3&status=FAILED&status=RUNNING  Bearer signkey-prod-" + sum + " "},
		"flags behind the operation": {nil, []string{"get-app", "--app-id", "a", "--env", "test", "--api-key", "k"}, "", "GET /api/v2/apps/a  Bearer k test"},
		"variables": {[]string{"INNGEST_SIGNING_KEY=abc123def456", "INNGEST_ENV=staging"}, []string{"get-account"}, "",
			"GET /api/v2/account  Bearer " + sum + " staging"},
		"a body": {nil, []string{"send-event", "--body", `{"name":"a","ts":1}`, "--name", "b", "--data", `{"n":1}`}, "",
			`POST /api/v2/events {"data":{"n":1},"name":"b","ts":1}  `},
		"a body from a file":           {nil, []string{"send-event", "--body-file", file}, "", `POST /api/v2/events {"name":"from/file","ts":1}  `},
		"a body from standard input":   {nil, []string{"send-event", "--body-file", "-"}, `{"name":"in"}`, `POST /api/v2/events {"name":"in"}  `},
		"a body that is a list":        {nil, []string{"create-scores", "--run-id", "r", "--body", `[{"name":"x"}]`}, "", `POST /api/v2/runs/r/scores [{"name":"x"}]  `},
		"a body that is a list's flag": {nil, []string{"create-scores", "--run-id", "r", "--scores", `[1]`}, "", `POST /api/v2/runs/r/scores [1]  `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, test.environ...)
			w.Stdin = strings.NewReader(test.stdin)
			w.run(t, 0, append(append([]string{"api"}, asked(t)...), append([]string{"--raw"}, test.args...)...)...)
			if diff := cmp.Diff(fmt.Sprintf(`{"asked":%q}`, test.want), w.stdout.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPI_PrintsForPeople(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.run(t, 0, append(append([]string{"api"}, asked(t)...), "get-account")...)
	if want := "{\n  \"asked\": \"GET /api/v2/account   \"\n}\n"; w.stdout.String() != want {
		t.Errorf("stdout %q, want %q", &w.stdout, want)
	}
}

func TestAPI_Fails(t *testing.T) {
	t.Parallel()
	flags := asked(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an answer that is an error":   {append(flags, "get-app", "--app-id", "nope"), "get-app: the server answered 404"},
		"a path that is missing":       {append(flags, "get-app"), "call GetApp: appId is required"},
		"a slow server":                {append(flags, "--timeout", "20ms", "health"), "context deadline exceeded"},
		"no server":                    {[]string{"--api-port", port, "health"}, "No server is there. Start one: server dev"},
		"a key over plain HTTP":        {[]string{"--api-host", "example.com", "--signing-key", "abc1", "health"}, "refusing to send a signing key over plain HTTP"},
		"no host":                      {[]string{"--api-host", "ftp://x", "health"}, "it must be http://HOST or https://HOST"},
		"a flag that is not JSON":      {append(flags, "send-event", "--data", "{"), "--data is not JSON: {"},
		"a body that is not JSON":      {append(flags, "send-event", "--body", "{"), "the body is not JSON"},
		"two bodies":                   {append(flags, "send-event", "--body", "{}", "--body-file", "x"), "--body and --body-file exclude each other"},
		"a file that is not there":     {append(flags, "send-event", "--body-file", "/does/not/exist"), "no such file"},
		"an operation that is not":     {[]string{"fly"}, `unknown operation "fly"`},
		"a flag that is not":           {append(flags, "health", "--nope"), "flag provided but not defined: -nope"},
		"a number that is none":        {append(flags, "get-apps", "--limit", "x"), `invalid value "x" for flag -limit`},
		"a URL with a port of its own": {[]string{"--api-host", "http://127.0.0.1", "--api-port", "1", "health"}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			began := time.Now()
			w.run(t, 1, append([]string{"api"}, test.args...)...)
			if !strings.Contains(w.stdout.String(), test.want) {
				t.Errorf("stdout %q, want %q", &w.stdout, test.want)
			}
			if time.Since(began) > 20*time.Second {
				t.Error("it took too long")
			}
		})
	}
}

func TestAPI_Target(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`Get "https://api.inngest.com/v2/health": context deadline exceeded`: {"--prod", "--timeout", "1ns", "health"},
		`Get "https://x.test:1/api/v2/health": context deadline exceeded`:    {"--api-host", "https://x.test/", "--api-port", "1", "--timeout", "1ns", "health"},
		`Get "http://localhost:8288/api/v2/health": context deadline`:        {"--timeout", "1ns", "health"},
	} {
		w := setup(t)
		w.run(t, 1, append([]string{"api"}, args...)...)
		if !strings.Contains(w.stdout.String(), want) {
			t.Errorf("stdout %q, want %q", &w.stdout, want)
		}
	}
}

// TestAPI_TargetOfTheConfigFile: a file says where the API is, unless a flag or a variable does.
func TestAPI_TargetOfTheConfigFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	named := file("other.json", `{"api-host":"https://named.test","api-port":7}`)
	file("inngest.yaml", "api-host: https://found.test\napi-port: \"8\"\n")
	broken := file("broken.json", `{"api-host":["x"]}`)
	for name, test := range map[string]struct {
		environ, args []string
		want          string
	}{
		"named":           {nil, []string{"--config", named}, `Get "https://named.test:7/api/v2/health"`},
		"by a variable":   {[]string{"INNGEST_CONFIG=" + named}, nil, `Get "https://named.test:7/api/v2/health"`},
		"found":           {nil, nil, `Get "https://found.test:8/api/v2/health"`},
		"a flag":          {nil, []string{"--config", named, "--api-host", "https://flag.test"}, `Get "https://flag.test/api/v2/health"`},
		"a host":          {nil, []string{"--api-host", "127.0.0.1"}, `Get "http://127.0.0.1:8/api/v2/health"`},
		"a variable":      {[]string{"INNGEST_API_PORT=9"}, nil, `Get "https://found.test:9/api/v2/health"`},
		"the cloud":       {nil, []string{"--prod"}, `Get "https://api.inngest.com/v2/health"`},
		"not there":       {nil, []string{"--config", named + "x"}, "error reading config file " + named + "x: "},
		"of a wrong type": {nil, []string{"--config", broken}, "error unmarshaling config: api-host is neither text nor a number in " + broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, test.environ...)
			w.Dir = dir
			w.run(t, 1, append(append([]string{"api", "--timeout", "1ns"}, test.args...), "health")...)
			if !strings.Contains(w.stdout.String(), test.want) {
				t.Errorf("stdout %q, want %q", &w.stdout, test.want)
			}
		})
	}
}

func TestAPI_HelpShowsTheOperations(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.run(t, 0, "api")
	for _, command := range []string{"get-function-run ", "get-apps ", "invoke-function "} {
		if !strings.Contains(w.stdout.String(), command) {
			t.Errorf("no %s in\n%s", command, &w.stdout)
		}
	}
}
