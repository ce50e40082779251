package replay

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestRegistrations replays each lane's registrations: the first sync, an unchanged one, one with functions removed, the
// main and the streaming app.
func TestRegistrations(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts3", "ts4", "ts4nc"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, "--no-poll")
			rec := load(t, "01-registration."+lane)
			rw, err := newRewriter(rec, "127.0.0.1:"+recordedPorts[lane], time.Now())
			if err != nil {
				t.Fatal(err)
			}
			var found []mismatch
			registrations := 0
			rec.all(func(one *exchange) {
				if one.request.Dir != "app->server" {
					return
				}
				registrations++
				cmp := &comparer{where: fmt.Sprintf("registration %d", one.number), excuse: excuseSyncID}
				cmp.exchange(t.Context(), srv, rw, one.request, one.request.Path, one.request.Body, one.response)
				found = append(found, cmp.found...)
			})
			if registrations < 3 {
				t.Errorf("%d registrations were replayed, want at least 3", registrations)
			}
			// The pings, which were recorded last, made the first app register once more.
			if lane != "ts4nc" {
				load(t, "39-server-ping."+lane).all(func(one *exchange) {
					if one.request.Dir == "app->server" {
						cmp := &comparer{where: "registration after a ping", excuse: excuseSyncID}
						cmp.exchange(t.Context(), srv, rw, one.request, one.request.Path, one.request.Body, one.response)
						found = append(found, cmp.found...)
					}
				})
			}
			found = append(found, compareApps(t, srv, lane)...)
			judge(t, rec.name, found)
		})
	}
}

// excuseSyncID accepts any UUID as sync_id.
func excuseSyncID(field string, _ map[string]any, _, got any) bool {
	text, ok := got.(string)
	return ok && field == "body.sync_id" && uuid.Validate(text) == nil
}

// TestPings replays what the server asks an app of its own accord. The recorder started it with createApp; here the URLs
// are given with --sdk-url. One is an app and registers, the other is none and is pinged again and again.
func TestPings(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"go", "ts3", "ts4"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			rec := load(t, "39-server-ping."+lane)
			app := newFakeApp(t, nil)
			rw, err := newRewriter(rec, app.addr, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			recorded := map[string]*exchange{}
			for _, one := range rec.toApp() {
				if _, ok := recorded[one.request.Path]; !ok {
					recorded[one.request.Path] = one
				}
			}
			nested := make(chan []mismatch, 100)
			started := make(chan struct{})
			app.mu.Lock()
			app.onPing = func(path string) (answer, error) {
				<-started
				one, ok := recorded[path]
				if !ok {
					return answer{status: http.StatusNotFound}, fmt.Errorf("ping of %s is not in the recording", path)
				}
				for _, inner := range one.nested {
					cmp := &comparer{where: "ping " + path + " registration", excuse: excuseSyncID}
					want := inner.response
					want.Body = rw.text(want.Body)
					cmp.exchange(t.Context(), app.srv, rw, inner.request, inner.request.Path, rw.text(inner.request.Body), want)
					nested <- cmp.found
				}
				return answer{status: one.response.Status, body: one.response.Body, header: appHeaders(one.response.Headers)}, nil
			}
			app.mu.Unlock()
			app.srv = startServer(t, "--no-poll", "--poll-interval", "1",
				"--sdk-url", "http://127.0.0.1:"+portOf(app.addr)+"/api/reg", "--sdk-url", "http://127.0.0.1:"+portOf(app.addr)+"/not-an-app")
			close(started)
			if err := poll(t.Context(), 20*time.Second, func() error {
				if reg, none := len(app.pinged("/api/reg")), len(app.pinged("/not-an-app")); reg < 1 || none < 2 {
					return fmt.Errorf("the app was pinged %d times, the other URL %d times", reg, none)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			found := comparePings(app, rw, recorded)
			if registered := len(app.pinged("/api/reg")); registered > 1 {
				t.Logf("the registered app was pinged %d times", registered)
			}
			judge(t, rec.name, append(found, <-nested...))
		})
	}
}

// comparePings compares the server's pings with the recorded ones, request line, headers and body.
func comparePings(app *fakeApp, rw *rewriter, recorded map[string]*exchange) []mismatch {
	var found []mismatch
	for path, one := range recorded {
		for i, ping := range app.pinged(path) {
			cmp := &comparer{where: fmt.Sprintf("ping %s %d", path, i)}
			if want := one.request.Method; ping.method != want {
				cmp.add("method", rawText(want), rawText(ping.method))
			}
			want, got := headerList{}, ping.header.Clone()
			for _, pair := range one.request.Headers {
				want = append(want, [2]string{pair[0], rw.text(pair[1])})
			}
			got.Set("Host", ping.host)
			cmp.headers(want, got)
			if body := rw.text(one.request.Body); body != ping.body {
				cmp.add("body", rawText(body), rawText(ping.body))
			}
			found = append(found, cmp.found...)
		}
	}
	return found
}

// pinged are the pings of a path so far.
func (a *fakeApp) pinged(path string) []receivedPing {
	a.mu.Lock()
	defer a.mu.Unlock()
	var pings []receivedPing
	for _, ping := range a.pings {
		if ping.path == path {
			pings = append(pings, ping)
		}
	}
	return pings
}

// appHeaders are the recorded headers that an answer of the fake app carries.
func appHeaders(recorded headerList) http.Header {
	header := http.Header{}
	for _, pair := range recorded {
		if !strings.EqualFold(pair[0], "Date") && !strings.EqualFold(pair[0], "Connection") &&
			!strings.EqualFold(pair[0], "Transfer-Encoding") && !strings.EqualFold(pair[0], "Content-Length") {
			header.Add(pair[0], pair[1])
		}
	}
	return header
}
