package replay

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// provided is a request that the server must make for a step: to a provider of AI, or to where a step fetches from.
type provided struct {
	exchange *exchange
	rw       *rewriter

	mu    sync.Mutex
	asked bool
	found []mismatch
}

// providedBy are the recorded requests to providers.
func providedBy(rec *recording, rw *rewriter) []*provided {
	var all []*provided
	for _, one := range rec.exchanges {
		if one.request.Dir == "server->provider" {
			all = append(all, &provided{exchange: one, rw: rw, found: []mismatch{{
				where: fmt.Sprintf("provider %d", one.number), field: "request", want: one.request.Path, got: "(not made)",
			}}})
		}
	}
	return all
}

// provider finds the recorded request that a request to a provider is. The app must be locked.
func (a *fakeApp) provider(r *http.Request) *provided {
	for _, one := range a.provided {
		if one.exchange.request.Method == r.Method && one.exchange.request.Path == r.URL.RequestURI() && one.take() {
			return one
		}
	}
	return nil
}

// take is true once.
func (p *provided) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.asked
	p.asked = true
	return first
}

// result is what was found, at last that the request was never made.
func (p *provided) result() []mismatch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// serve compares the request, headers and bytes of the body, and gives the recorded answer.
func (p *provided) serve(w http.ResponseWriter, r *http.Request, body string) {
	cmp := &comparer{where: fmt.Sprintf("provider %d", p.exchange.number)}
	want, got := http.Header{}, r.Header.Clone()
	for _, pair := range p.exchange.request.Headers {
		want.Set(pair[0], p.rw.header(pair[0], pair[1]))
	}
	got.Set("Host", r.Host)
	if r.ContentLength > 0 {
		got.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(want)), maps.Keys(got))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if left, right := strings.Join(want[name], " | "), strings.Join(got[name], " | "); left != right {
			cmp.add("header "+name, rawText(left), rawText(right))
		}
	}
	if want := p.rw.text(p.exchange.request.Body); want != body {
		if cmp.texts("body", want, body); !slices.ContainsFunc(cmp.found, func(one mismatch) bool { return strings.HasPrefix(one.field, "body") }) {
			cmp.add("body text", rawText(want), rawText(body))
		}
	}
	p.mu.Lock()
	p.found = cmp.found
	p.mu.Unlock()
	reply := p.exchange.response
	write(w, answer{status: reply.Status, header: appHeaders(reply.Headers), body: p.rw.text(reply.Body)})
}

// fitsProviderDate accepts the time at which the fake provider answered a step that keeps the headers of the answer.
func fitsProviderDate(field string, want, got any) bool {
	wanted, wantIsText := want.(string)
	given, gotIsText := got.(string)
	if !strings.HasSuffix(field, ".headers.Date") || !wantIsText || !gotIsText {
		return false
	}
	_, err := http.ParseTime(wanted)
	at, gotErr := http.ParseTime(given)
	return err == nil && gotErr == nil && time.Since(at).Abs() < time.Minute
}
