package gatewayhttp

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRedirect_MethodAndBodyFollowHTTP(t *testing.T) {
	t.Parallel()
	tests := map[int]string{
		http.StatusMovedPermanently:  "GET ",
		http.StatusFound:             "GET ",
		http.StatusSeeOther:          "GET ",
		http.StatusTemporaryRedirect: "POST body",
		http.StatusPermanentRedirect: "POST body",
	}
	for status, want := range tests {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" {
					http.Redirect(w, r, "/next?x=1", status)
					return
				}
				body, _ := io.ReadAll(r.Body)
				io.WriteString(w, r.Method+" "+string(body))
			})
			request := aRequest(server.URL)
			request.Method, request.Body = "POST", []byte("body")
			if got := do(t, newLocal(t, Config{}), request); string(got.Body) != want {
				t.Errorf("then requests %q, want %q", got.Body, want)
			}
		})
	}
}

func TestRedirect_WithoutLocationIsAnAnswer(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusFound)
		io.WriteString(w, "here")
	})
	if got := do(t, newLocal(t, Config{}), aRequest(server.URL)); got.Status != 302 || string(got.Body) != "here" {
		t.Errorf("response is %+v", got)
	}
}

func TestRedirect_HasAnEnd(t *testing.T) {
	t.Parallel()
	count := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		count++
		http.Redirect(w, r, "/"+strconv.Itoa(count), http.StatusFound)
	})
	got := do(t, newLocal(t, Config{}), aRequest(server.URL))
	if want := `Get "/61": stopped after 60 redirects`; got.TransportError != want || count != 61 {
		t.Errorf("failure is %q after %d requests, want %q", got.TransportError, count, want)
	}
}

// Each path is a list of hosts that the request is sent on to. The last one answers with what it was shown.
func TestRedirect_StrangersGetNoKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hosts string
		keys  bool
	}{
		"same site":               {"a.test,a.test", true},
		"another site":            {"a.test,b.test", false},
		"subdomain":               {"a.test,x.a.test", false},
		"another port":            {"a.test,a.test:8080", false},
		"back from another site":  {"a.test,b.test,a.test", false},
		"on within another site":  {"a.test,b.test,b.test", false},
		"many hops within a site": {"a.test,a.test,a.test", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts := strings.Split(test.hosts, ",")
			world := &internet{server: serve(t, func(w http.ResponseWriter, r *http.Request) {
				hop, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
				if hop+1 < len(hosts) {
					http.Redirect(w, r, "http://"+hosts[hop+1]+"/"+strconv.Itoa(hop+1), http.StatusTemporaryRedirect)
					return
				}
				for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "X-Plain", "Referer"} {
					io.WriteString(w, r.Header.Get(name)+";")
				}
			})}
			public := [][]string{{"203.0.113.1"}}
			guarded := newGuarded(t, world, map[string][][]string{"a.test": public, "b.test": public, "x.a.test": public})
			request := aRequest("http://" + hosts[0] + "/0?key=k")
			request.Header = map[string]string{"Authorization": "Bearer k", "X-Api-Key": "k", "Cookie": "c=k", "X-Plain": "p"}
			want := ";;;p;;"
			if test.keys {
				want = "Bearer k;k;c=k;p;;"
			}
			if diff := cmp.Diff(want, string(do(t, guarded, request).Body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRedirect_FromHTTPSToHTTPLeavesTheSite(t *testing.T) {
	t.Parallel()
	first, _ := http.NewRequest(http.MethodGet, "https://a.test/", nil)
	next, _ := http.NewRequest(http.MethodGet, "http://a.test/", nil)
	next.Header.Set("X-Api-Key", "k")
	if err := checkRedirect(next, []*http.Request{first}); err != nil || next.Header.Get("X-Api-Key") != "" {
		t.Errorf("error %v, headers %v", err, next.Header)
	}
}
