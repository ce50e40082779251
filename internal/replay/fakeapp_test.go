package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// fakeApp stands where a recorded app stood: it takes the server's calls and gives the recorded answers. The providers that
// steps ask are at its address, too.
type fakeApp struct {
	t    *testing.T
	srv  *server
	addr string

	mu        sync.Mutex
	functions map[string][]*functionRun // by slug
	provided  []*provided
	strays    []string
	known     map[string]registered
	pings     []receivedPing
	onPing    func(path string) (answer, error)
}

// registered is what the app said of one of its functions, with the ids that follow from it.
type registered struct {
	id, appID string
	uri       string
}

// receivedPing is a request of the server that is not a call of a function.
type receivedPing struct {
	method, path, host string
	header             http.Header
	body               string
}

func newFakeApp(t *testing.T, srv *server) *fakeApp {
	t.Helper()
	app := &fakeApp{t: t, srv: srv, functions: map[string][]*functionRun{}, known: map[string]registered{}}
	listener := httptest.NewServer(app)
	t.Cleanup(listener.Close)
	app.addr = strings.TrimPrefix(listener.URL, "http://")
	return app
}

// ServeHTTP implements http.Handler.
func (a *fakeApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.stray(fmt.Sprintf("%s %s: read body: %v", r.Method, r.URL, err))
		return
	}
	slug := r.URL.Query().Get("fnId")
	a.mu.Lock()
	runs := a.functions[slug]
	onPing := a.onPing
	provided := a.provider(r)
	a.mu.Unlock()
	switch {
	case len(runs) > 0:
		ctx, members := contextOf(string(body))
		runOf(runs, ctx, triggerOf(members)).serve(w, r, string(body))
	case provided != nil:
		provided.serve(w, r, string(body))
	case onPing != nil && r.Method == http.MethodPut:
		a.mu.Lock()
		a.pings = append(a.pings, receivedPing{method: r.Method, path: r.URL.RequestURI(), host: r.Host, header: r.Header.Clone(), body: string(body)})
		a.mu.Unlock()
		reply, err := onPing(r.URL.Path)
		if err != nil {
			a.stray(err.Error())
		}
		write(w, reply)
	default:
		a.stray(fmt.Sprintf("%s %s %s", r.Method, r.URL, shorten(string(body))))
		w.WriteHeader(http.StatusNotFound)
	}
}

func (a *fakeApp) stray(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strays = append(a.strays, what)
}

func write(w http.ResponseWriter, reply answer) {
	for name, values := range reply.header {
		for _, value := range values {
			w.Header().Add(name, value)
		}
	}
	w.WriteHeader(reply.status)
	_, _ = io.WriteString(w, reply.body)
}

// learn notes the functions of a registration that is about to be sent, with the ids that the server must give them.
func (a *fakeApp) learn(body string) error {
	var sent struct {
		AppName   string `json:"appName"`
		Functions []struct {
			ID    string `json:"id"`
			Name  string `json:"name"`
			Steps map[string]struct {
				Runtime struct {
					URL string `json:"url"`
				} `json:"runtime"`
			} `json:"steps"`
		} `json:"functions"`
	}
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		return fmt.Errorf("decode registration: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, function := range sent.Functions {
		for _, step := range function.Steps {
			uri, err := normalURL(step.Runtime.URL)
			if err != nil {
				return err
			}
			a.known[function.ID] = registered{id: uuid5(function.Name + uri), appID: uuid5(sent.AppName), uri: uri}
		}
	}
	return nil
}

// normalURL is spec 01 §4.5 for the URLs of the recordings: an app on this machine is called localhost.
func normalURL(text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("parse step URL: %w", err)
	}
	parsed.RawQuery = parsed.Query().Encode()
	parsed.Host = "localhost:" + parsed.Port()
	return parsed.String(), nil
}
